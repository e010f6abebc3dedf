"""Whether two servers agree, judged at any time of looking: the share of requests that they answer differently, with bounds.

The bounds are a confidence sequence: with 95 % they hold after every request at once, however often one looks and stops.
They invert the likelihood ratio of a mixture over shares, which is a martingale for the true share (Robbins 1970, Annals of
Mathematical Statistics 41, 1397; Howard, Ramdas, McAuliffe and Sekhon 2021, Annals of Statistics 49, 1055); by Ville's
inequality it ever reaches 1/0.05 with a probability of 0.05 at most. ``docs/decisions/agreement.md`` says what was weighed.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from core.domain.report import Verdict

LEVEL = 0.05
PRIOR = 0.5, 4.5
"""The mixture, a Beta distribution: most of it below 10 %. It decides how soon the bounds are narrow, never whether they hold."""
STEPS = 60


@dataclass(frozen=True)
class Agreement:
    """Different requests that both answered, how many of them differently, and the share of those that is allowed."""

    DERIVED: ClassVar = ("low", "high", "verdict")

    compared: int
    differ: int
    allowed: float

    @property
    def verdict(self) -> Verdict:
        """PASS where the share is proven to be no more than allowed, FAIL where it is proven to be more."""
        if self.compared == 0 or not self._out(self.allowed):
            return Verdict.NOT_PROVEN
        return Verdict.FAIL if self.differ / self.compared > self.allowed else Verdict.PASS

    @property
    def low(self) -> float:
        """The least share that is not ruled out."""
        return self._end(0.0)

    @property
    def high(self) -> float:
        """The largest share that is not ruled out."""
        return self._end(1.0)

    @property
    def sentence(self) -> str:
        """What is known now."""
        if not self.compared:
            return "No request was compared yet."
        told = f"{self.differ:,} of {self.compared:,} different requests were answered differently"
        return (
            f"{told}: between {100 * self.low:.2g} % and {100 * self.high:.2g} % of all (95 %, at any time of looking)."
        )

    def _out(self, share: float) -> bool:
        """Say whether a share is ruled out: the mixture explains what was seen twenty times as well."""
        if share <= 0.0 or share >= 1.0:
            return self.differ > 0 if share <= 0.0 else self.differ < self.compared
        same = self.compared - self.differ
        mixed = _log_beta(PRIOR[0] + self.differ, PRIOR[1] + same) - _log_beta(*PRIOR)
        return mixed - self.differ * math.log(share) - same * math.log1p(-share) >= math.log(1 / LEVEL)

    def _end(self, outside: float) -> float:
        inside = self.differ / self.compared if self.compared else 0.5
        if not self.compared or not self._out(outside):
            return outside
        for _ in range(STEPS):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if self._out(middle) else (middle, outside)
        return outside


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
