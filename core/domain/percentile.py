"""When a run carries a percentile: the early-stopping rule of MLPerf's LoadGen (mlcommons/inference, loadgen/early_stopping.cc).

Of n independent calls, the number that take longer than the true percentile is binomial. A percentile is told where so
few as t of n would be seen with a probability below 1 % alone; then, with 99 % confidence, the true percentile is no
higher than the t-th longest call. With t of at least one, the 90th needs 64 calls and the 99th 662.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

CONFIDENCE = 0.99
SHARES = 0.5, 0.9, 0.95, 0.99


@dataclass(frozen=True)
class Percentile:
    """Milliseconds below which a share of all calls ends: as seen, and the bound that holds with 99 % confidence; None where ``missing`` more calls are needed."""

    share: float
    value: float | None
    bound: float | None
    missing: int = 0

    @property
    def name(self) -> str:
        """How people call it: p50, p99."""
        return f"p{100 * self.share:g}"

    @classmethod
    def of(cls, ordered: Sequence[float], share: float) -> "Percentile":
        """Return the percentile of times, the shortest first."""
        n = len(ordered)
        if (over := overtime(n, share)) == 0:
            return cls(share, None, None, fewest(share) - n)
        return cls(share, float(ordered[int(n * share)]), float(ordered[n - over]))


def percentiles(times: Sequence[float]) -> tuple[Percentile, ...]:
    """Return those that people ask for."""
    ordered = sorted(times)
    return tuple(Percentile.of(ordered, share) for share in SHARES)


def overtime(n: int, share: float) -> int:
    """Return the largest t of which it is improbable that only so many of n calls exceed the percentile; 0 where none is."""
    most, seen = 0, _odds(n, 0, share)
    for t in range(1, n):
        seen += _odds(n, t, share)
        if seen > 1 - CONFIDENCE:
            break
        most = t
    return most


def _odds(n: int, t: int, share: float) -> float:
    """Return the probability that exactly t of n calls exceed the percentile."""
    ways = math.lgamma(n + 1) - math.lgamma(t + 1) - math.lgamma(n - t + 1)
    return math.exp(ways + t * math.log(1 - share) + (n - t) * math.log(share))


@cache
def fewest(share: float) -> int:
    """Return how many calls the percentile needs."""
    n = 2
    while overtime(n, share) == 0:
        n += 1
    return n
