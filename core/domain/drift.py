"""Whether the inputs that a server gets are still such as the test data: each feature, a window of requests at a time.

Two samples are compared by the largest distance of their distributions (Smirnov 1939), with the limit distribution and the
correction for small samples of Stephens (1970, Journal of the Royal Statistical Society B 32, 115); ties make it stricter. The
5 % are divided among features and windows (0.05 / (w (w + 1)) for window w), so that over all windows together a false alarm
comes in one of twenty cases at most.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from core.domain.work import Data, Model, Subject

LEVEL = 0.05
WINDOW = 200
"""Requests in a window."""
FEWEST = 20
MOST_FEATURES, MOST_ROWS = 64, 500


@dataclass(frozen=True)
class WatchRequest:
    """The model on whose page it is asked, the one that is served, and the test data."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    served: Model
    data: Data


@dataclass(frozen=True)
class Reference:
    """Test data as numbers: the names of the features, and the values [rows, features]."""

    names: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Moved:
    """A feature whose distribution is not that of the test data: the largest distance between the two, from 0 to 1, and both medians."""

    name: str
    distance: float
    before: float
    now: float


def moved(reference: Reference, window: Sequence[Sequence[float]], number: int) -> tuple[Moved, ...]:
    """Return the features that moved in a window, of which it is the ``number``-th from 1."""
    level = LEVEL / (number * (number + 1)) / max(1, len(reference.names))
    found = []
    for place, name in enumerate(reference.names):
        old, new = (
            sorted(row[place] for row in rows if math.isfinite(row[place])) for rows in (reference.rows, window)
        )
        if min(len(old), len(new)) >= FEWEST:
            apart = distance(old, new)
            if chance(apart, len(old), len(new)) < level:
                found.append(Moved(name, apart, old[len(old) // 2], new[len(new) // 2]))
    return tuple(sorted(found, key=lambda one: -one.distance))


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the largest distance of two empirical distributions; both are sorted."""
    return max(abs(bisect_right(one, value) / len(one) - bisect_right(other, value) / len(other)) for value in {*one, *other})  # fmt: skip


def chance(apart: float, n: int, m: int) -> float:
    """Return how probable so large a distance is where both samples are of one distribution."""
    root = math.sqrt(n * m / (n + m))
    scaled = (root + 0.12 + 0.11 / root) * apart
    if scaled < 0.2:  # the sum below is of no use there, and the chance is 1 to twelve digits
        return 1.0
    terms = (math.exp(-2 * (k * scaled) ** 2) * (1 if k % 2 else -1) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * sum(terms)))
