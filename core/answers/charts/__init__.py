"""Stored facts made ready for eyes: Altair charts, the same on a page and in a report."""
