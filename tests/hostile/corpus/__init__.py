"""Hostile files of every format, made by code: what the tests of each format hold, and what is tried on all of one container.

``python -m benchmarks.mutations corpus`` gives every one of them to the real border.
"""

from tests.hostile.corpus import data, documents, flatbuffers, gathered, sources, zips
from tests.hostile.corpus.attack import Attack

CORPUS: tuple[Attack, ...] = (
    *gathered.ATTACKS, *zips.ATTACKS, *flatbuffers.ATTACKS, *documents.ATTACKS, *sources.ATTACKS, *data.ATTACKS,
)  # fmt: skip
FRESH: tuple[Attack, ...] = tuple(one for one in CORPUS if one not in gathered.ATTACKS)
"""Those that no test of a format has already."""

__all__ = ["CORPUS", "FRESH", "Attack"]
