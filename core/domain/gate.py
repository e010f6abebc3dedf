"""A bound that a new model must keep beside an old one, judged by an interval's ends and never by the figure in its middle."""

import math
from dataclasses import dataclass
from typing import ClassVar

from core.domain.overhead import Footprint, Race
from core.domain.report import Verdict

RUNS = 7
"""Fresh processes for each file where memory is held to a bound: the span of 7 measurements holds the median with 98.4 %
confidence (1 - 2 / 2^7), whatever its distribution, so those of two files hold both with at least 96.9 %."""


@dataclass(frozen=True)
class Bounds:
    """The shares by which a new model may be slower, and may take more memory at its peak; None where that is not asked."""

    slowdown: float | None = None
    memory: float | None = None

    def __post_init__(self) -> None:
        if any(one is not None and not 0 <= one <= 100 for one in (self.slowdown, self.memory)):
            raise ValueError("a bound is a share from 0, such as 0.03")


@dataclass(frozen=True)
class Held:
    """One bound: what it is about, the share that is allowed, and the ends of the interval of the increase as a share."""

    DERIVED: ClassVar = ("verdict", "sentence")

    name: str
    allowed: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """PASS where the whole interval is within the bound, FAIL where it is all beyond it, else NOT PROVEN."""
        if self.low > self.allowed:
            return Verdict.FAIL
        return Verdict.PASS if self.high <= self.allowed else Verdict.NOT_PROVEN

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        told = {
            Verdict.PASS: "proven within",
            Verdict.FAIL: "proven beyond",
            Verdict.NOT_PROVEN: "not settled at",
        }[self.verdict]
        span = f"{_share(self.low)} to {_share(self.high)}" if math.isfinite(self.high) else "unknown"
        return f"{self.name}: {told} the bound of {self.allowed:.1%} (increase {span}, 95 % interval)."


@dataclass(frozen=True)
class Gate:
    """All bounds that were asked for; one that is broken breaks the gate."""

    DERIVED: ClassVar = ("verdict",)

    held: tuple[Held, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the verdicts."""
        return Verdict.worst([one.verdict for one in self.held])

    @classmethod
    def of(cls, bounds: Bounds, race: Race, old: Footprint, new: Footprint) -> "Gate":
        """Judge what was measured."""
        held = []
        if bounds.slowdown is not None:
            # the race tells old time / new time, so its upper end is the least that the new one is slower
            held.append(Held("Processor time", bounds.slowdown, 1 / race.high - 1, 1 / race.low - 1))
        if bounds.memory is not None:
            held.append(Held("Peak memory", bounds.memory, *_increase(old, new)))
        return cls(tuple(held))


def _increase(old: Footprint, new: Footprint) -> tuple[float, float]:
    """Return the ends of the increase of the peak; all is open where too few runs were made or nothing was measurable."""
    if not (old.spread and new.spread) or min(old.runs, new.runs) < RUNS or old.spread[0] <= 0:
        return -1.0, math.inf
    return new.spread[0] / old.spread[1] - 1, new.spread[1] / old.spread[0] - 1


def _share(value: float) -> str:
    return f"{value:+.1%}"
