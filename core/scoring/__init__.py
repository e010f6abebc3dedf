"""Statistical models in one common form, between the libraries that fit them and the languages that score them.

A form is a row of steps over named columns: derived fields (one expression each) and models of five kinds, all of which
PMML knows. Every library has one face that reads into the form, every language one that writes it, so that N sources and
M targets need N + M files. ``score`` is the reference: what a form means in NumPy, in float64.
"""
