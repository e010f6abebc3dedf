"""Fitted scikit-learn estimators and the files that hold them."""
