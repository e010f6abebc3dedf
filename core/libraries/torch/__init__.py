"""Torch's own files and programs."""
