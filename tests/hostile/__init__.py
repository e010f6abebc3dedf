"""Code that a model could carry, to be run behind the walls that must hold it."""
