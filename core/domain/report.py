"""What measures found, with the evidence beside every number."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from core.domain.correspondence import Correspondence
from core.domain.errors import Trouble
from core.domain.loss import PairedLoss
from core.domain.transform import Tolerance


class Verdict(StrEnum):
    """The three answers of a proof; ``worst`` of several is the one that counts."""

    PASS = "PASS"  # noqa: S105
    NOT_PROVEN = "NOT PROVEN"
    FAIL = "FAIL"

    @staticmethod
    def worst(verdicts: "list[Verdict]") -> "Verdict":
        """Return FAIL if there is one, else NOT PROVEN if there is one or there is none at all, else PASS."""
        if Verdict.FAIL in verdicts:
            return Verdict.FAIL
        return Verdict.PASS if verdicts and Verdict.NOT_PROVEN not in verdicts else Verdict.NOT_PROVEN


@dataclass(frozen=True)
class Count:
    """k of n with the bounds of its 95 % Wilson score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""

    DERIVED: ClassVar = ("interval",)

    k: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.k <= self.n:
            raise ValueError(f"{self.k} of {self.n} is no count")

    @property
    def interval(self) -> tuple[float, float]:
        """The lower and upper bound of the share; (0, 1) when nothing was counted."""
        if self.n == 0:
            return 0.0, 1.0
        z = 1.959963984540054
        p, n = self.k / self.n, self.n
        centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        scale = 1 + z * z / n
        lower = (centre - spread) / scale if self.k else 0.0
        upper = (centre + spread) / scale if self.k < n else 1.0
        return lower, upper


@dataclass(frozen=True)
class Check:
    """The comparison on one kind of input: ``random``, ``edge``, ``constants``, ``sizes``, ``batch 1``, ``data`` and so on.

    Where no tolerance applies, there is no relative difference and no verdict on the kind alone: both are None.
    """

    name: str
    samples: int
    max_abs: float
    max_rel: float | None
    sqnr_db: float | None
    flips: Count | None
    verdict: Verdict | None
    detail: str = ""
    percentiles: tuple[float, ...] = ()
    """The absolute differences below which 50, 90 and 99 % of all compared numbers lie."""

    own: int = 0
    """Numbers beyond the tolerance that are no further off than what float32 loses in the source itself."""


@dataclass(frozen=True)
class Parity:
    """Whether two files give the same answers: the checks, the declared tolerance if one applies, and where the two part if they do."""

    DERIVED: ClassVar = ("max_abs", "max_rel", "sqnr_db", "top1_flips")

    verdict: Verdict
    checks: tuple[Check, ...]
    tolerance: Tolerance | None
    seed: int
    versions: dict[str, str] = field(default_factory=dict)
    machine: str = ""
    diverges_at: str | None = None
    reason: str = ""
    weights: Correspondence | None = None
    """Which weights of the source stand in the result; None where it was not looked for."""

    loss: PairedLoss | None = None
    """What was lost, where the verdict is about that."""

    bounded: str = ""
    """On which numbers, that inputs may never reach, the result answers otherwise; empty where that was not seen."""

    @property
    def max_abs(self) -> float:
        """Largest absolute difference over all checks."""
        return max((check.max_abs for check in self.checks), default=math.nan)

    @property
    def max_rel(self) -> float:
        """Largest relative difference over all checks."""
        return max((check.max_rel for check in self.checks if check.max_rel is not None), default=math.nan)

    @property
    def sqnr_db(self) -> float | None:
        """Smallest signal-to-noise ratio over the checks that have one, in decibels; None when every answer was identical."""
        return min((c.sqnr_db for c in self.checks if c.sqnr_db is not None), default=None)

    @property
    def top1_flips(self) -> Count | None:
        """Changed predictions over all samples that have a prediction."""
        counts = [check.flips for check in self.checks if check.flips]
        return Count(sum(c.k for c in counts), sum(c.n for c in counts)) if counts else None


@dataclass(frozen=True)
class Quality:
    """How well a model does on labelled data: the metric's name, its value, and k of n where the metric counts."""

    metric: str
    value: float
    samples: int
    correct: Count | None = None
    classes: dict[str, Count] = field(default_factory=dict)
    """By label, the samples of that class and those of them that are answered right; empty where there are too many."""

    notes: tuple[str, ...] = ()
    """How the samples and their labels were read, and what was assumed."""

    unmet: Trouble | None = None
    """Why labels and answers cannot be the same thing, with the mapping that would fit."""

    doubt: str = ""
    """Why nothing can be measured against this quality, as it is no better than guessing; empty where it can."""

    @property
    def title(self) -> str:
        """The metric's name as a heading; what stands in capitals stays so."""
        return self.metric[:1].upper() + self.metric[1:]

    @property
    def remarks(self) -> tuple[str, ...]:
        """All that is to be said beside the figure: how the data was read, and why the figure may mean nothing."""
        unmet = (f"{self.unmet.message} {self.unmet.next_step}",) if self.unmet else ()
        return (*self.notes, *(unmet or ((self.doubt,) if self.doubt else ())))
