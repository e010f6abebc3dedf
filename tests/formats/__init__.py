"""Tests of the shelf of formats: honest files by the real libraries, and hostile ones made here."""
