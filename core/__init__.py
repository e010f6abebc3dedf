"""Portolan's engine room: nouns in ``domain``, one file an extension on the shelves, verbs on top; DESIGN in the README's map."""
