"""Imports skops without what its walk through scikit-learn would bring along: a child then starts in half the time.

skops asks scikit-learn for all its estimators, which imports each of its packages, also those that only fit torch and
Dask arrays to it. Such a package is passed over where its library is not installed, and so it is here.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder

UNASKED = frozenset(("torch", "dask", "pytest"))


class Absent(MetaPathFinder):
    """Finds none of the libraries that are not asked for."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        """Leave a name to others. Raises ModuleNotFoundError for that of such a library."""
        if name.partition(".")[0] in UNASKED:
            raise ModuleNotFoundError(f"{name} is not asked for.", name=name)


@contextmanager
def alone() -> Iterator[None]:
    """Let libraries that are not imported yet look as if they were not installed."""
    absent = Absent()
    sys.meta_path.insert(0, absent)
    try:
        yield
    finally:
        sys.meta_path.remove(absent)


with alone():
    import skops.io  # noqa: F401
