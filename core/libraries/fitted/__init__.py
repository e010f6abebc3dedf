"""Models that libraries fitted, read into the common form of ``core.scoring``: one face a library, each knowing only the form.

Every operation keeps the order and the precision of its library, so that a sample on a threshold goes the same way.
"""
