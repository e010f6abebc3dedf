"""The search for the best trade-off as a job: what is asked, and all that is known of it while it runs and when it is over."""

from dataclasses import dataclass
from typing import ClassVar

from core.domain.references import Sha256
from core.domain.report import Quality, Verdict
from core.domain.tuning import Goal, HeatMap, Look, Point, Progress
from core.domain.work import Data, Subject

MINUTES = 10.0


@dataclass(frozen=True)
class TuneRequest:
    """The model, the data, the share by which quality may fall, what is minimised, the budget, the order among equals, and weights that stay as they are."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    data: Data | None
    max_drop: float
    minimise: Goal = Goal.SIZE
    minutes: float = MINUTES
    seed: int = 0
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class Original:
    """The source: its own measure, its quality on the selection samples, and its bytes."""

    measure: float
    quality: Quality | None
    size: int
    sha256: Sha256
    name: str
    artifact: str | None


@dataclass(frozen=True)
class Tuning:
    """The heat map, ladders, points, the best, and the looks at the test half; ``sentence`` says it for people."""

    DERIVED: ClassVar = ("candidates",)

    minimise: Goal
    max_drop: float
    seed: int
    keep: tuple[str, ...]
    stage: str
    sentence: str
    seconds: float
    budget_seconds: float
    left_seconds: float
    candidates_left: int
    source: Original
    heat: HeatMap | None
    heatless: str
    ladders: tuple[Progress, ...]
    points: tuple[Point, ...]
    frontier: tuple[int, ...]
    best: Point | None
    looks: tuple[Look, ...]
    rule: str
    data: Data

    @property
    def judged(self) -> Verdict | None:
        """The verdict on the best, or of the last look where nothing is left to offer; None before the test half was used."""
        mine = [look.verdict for look in self.looks if self.best is None or look.point == self.best.number]
        return mine[-1] if mine else None

    @property
    def candidates(self) -> int:
        """How many were tried."""
        return len(self.points)
