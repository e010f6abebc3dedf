"""The search for the best trade-off: what it minimises, what each layer bears, what was tried, and what the verdict is."""

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from core.domain.recipe import Step
from core.domain.references import Sha256
from core.domain.report import Count, Quality, Verdict

PRIOR_CHANGED, PRIOR_LOST, PRIOR_WON = 10.0, 5.0, 2.0
CAUTION = 0.25
"""Standard errors: what is within the drop with them on top is within it with a probability of 60 %."""
RULE = (
    "A candidate is within the allowed drop when it lost no more than that on the selection samples and, with a probability of "
    "60 % or more, loses no more on other samples. That probability is estimated from the right answers lost and won among "
    "the changed predictions; a gain never counts, and ten more changes are assumed, five of them lost and two won. Without "
    "labels every changed prediction counts as lost; for an error such as RMSE, its growth counts. "
    "The test half is then asked about at most four of these, in an order set before, from gentle to aggressive; the first that "
    "is no PASS ends it, so that a wrong PASS is as rare (5 % at most) as if one had been asked about."
)
"""How selection data decides; the numbers are those above."""


class Goal(StrEnum):
    """What the search makes small."""

    SIZE = "size"
    TRAVEL = "travel"
    LATENCY = "latency"
    MEMORY = "memory"


class Standing(StrEnum):
    """Where one ladder stands; the last three are ends."""

    WAITING = "waiting"
    WALKING = "walking"
    WALKED = "walked"
    OVERTAKEN = "cannot win"
    REFUSED = "refused"

    @property
    def words(self) -> str:
        """How a person reads it; the value is what is stored."""
        return {Standing.WALKING: "being tried", Standing.WALKED: "tried"}.get(self, str(self))


@dataclass(frozen=True)
class Cell:
    """One change of one tensor alone: the bytes that it would take, the error of the answers as a share of their variance, and the changed predictions."""

    change: str
    bytes: int
    error: float
    changed: Count | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.error):
            raise ValueError("a cell has an error that is no number")


@dataclass(frozen=True)
class Row:
    """One weight tensor of the heat map: the operator that reads it, its shape, numbers and bytes, and a cell a change."""

    name: str
    operator: str
    shape: tuple[int, ...]
    parameters: int
    bytes: int
    cells: tuple[Cell, ...]
    kept: bool = False


@dataclass(frozen=True)
class HeatMap:
    """What each tensor bears: the changes by id with their titles, a row a tensor, and how many samples were asked."""

    changes: dict[str, str]
    rows: tuple[Row, ...]
    samples: int

    def keeping(self, names: set[str]) -> Self:
        """Return the map with the rows marked that stay as they are."""
        return replace(self, rows=tuple(replace(row, kept=row.name in names) for row in self.rows))


@dataclass(frozen=True)
class Loss:
    """What selection samples say of a candidate, as shares: the loss on them, the loss to expect on others, and its standard error.

    ``bound`` is the upper bound that the test half, which holds twice as many samples, would give if it showed the same.
    """

    share: float
    expected: float
    error: float
    bound: float = math.inf

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.share, self.expected, self.error))):
            raise ValueError("a loss is no number")

    @classmethod
    def of_answers(cls, n: int, changed: int, lost: int, won: int, bound: float = math.inf) -> Self:
        """Return the loss where of ``n`` right or wrong answers some changed, some of these from right to wrong, some back.

        The changes that lose or win an answer are what varies (McNemar 1947); what a change costs is drawn towards what
        changes usually cost, and is never a gain, so that a few that happen to do no harm are not taken for proof: among
        many candidates there are always some that are lucky.
        """
        tried = changed + PRIOR_CHANGED
        cost = (max(lost - won, 0) + PRIOR_LOST - PRIOR_WON) / tried
        variance = (lost + won + PRIOR_LOST + PRIOR_WON) / tried - cost * cost
        return cls((lost - won) / n, changed * cost / n, changed * math.sqrt(max(variance, 0.0) / tried) / n, bound)

    @classmethod
    def of_changes(cls, n: int, changed: int, bound: float = math.inf) -> Self:
        """Return the loss where nobody knows which answers are right."""
        return cls(changed / n, changed / n, math.sqrt(changed) / n, bound)

    @property
    def cautious(self) -> float:
        """The expected loss with ``CAUTION`` on top; see ``RULE``."""
        return self.expected + CAUTION * self.error

    def within(self, allowed: float) -> bool:
        """Say whether this is within the drop; see ``RULE``."""
        return max(self.share, self.cautious) <= allowed


@dataclass(frozen=True)
class Score:
    """What a candidate answered on the selection samples: its loss, its quality with labels, the changed predictions of classes, or why its answers are none."""

    loss: Loss
    quality: Quality | None = None
    changed: Count | None = None
    fault: str = ""


@dataclass(frozen=True)
class Point:
    """One candidate that was tried: where it stands on its ladder, and what it came to. ``measure`` is what is minimised.

    Sizes are bytes; ``time`` is the share of the source's processor time, ``memory`` the megabytes that must be free;
    both are measured only where the search needs them. ``lost`` is a share of the selection samples, or of RMSE.
    """

    number: int
    ladder: str
    rung: int
    title: str
    family: str
    recipe: tuple[Step, ...]
    seconds: float
    reason: str = ""
    """Why a technique refused; then there is nothing below."""
    broken: bool = False
    """It did not refuse but failed, as by its limits."""
    sha256: Sha256 = ""
    size: int | None = None
    travel: int | None = None
    time: float | None = None
    memory: float | None = None
    quality: float | None = None
    metric: str = ""
    changed: Count | None = None
    lost: float | None = None
    expected: float | None = None
    cautious: float | None = None
    bound: float | None = None
    within: bool = False
    measure: float | None = None
    files: dict[str, Sha256] = field(default_factory=dict)
    """SHA-256 of the artifact and of its bundle, where the candidate was the best when it came."""


@dataclass(frozen=True)
class Look:
    """One look at the test half: at which point, and what it said."""

    point: int
    verdict: Verdict
    reason: str
    files: dict[str, Sha256] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """Where one ladder stands, for a line on the page: rungs from gentle to aggressive, those tried, the last that is within the drop."""

    id: str
    title: str
    family: str
    standing: Standing
    rungs: int
    tried: int
    within: int | None
    left: int
    """Candidates to come at most."""
    reason: str = ""
