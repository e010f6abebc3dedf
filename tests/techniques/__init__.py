"""Techniques on the trained samples: what they promise, what they refuse, and what must not change."""
