"""What is known of one search while it runs: the source, the ladders, what was tried, what is best, and how much time is left."""

import time
from dataclasses import dataclass, field, replace

from core.calls.bench import Bench
from core.domain.search import Original, TuneRequest
from core.domain.tuning import Goal, HeatMap, Look, Point
from core.domain.work import Data, Model
from core.verbs import compress
from core.verbs.compress import Effort
from core.verbs.tuning.trials import QUICK, Trials
from core.verbs.tuning.walks import Walk

TELLING = 5.0
"""Answers that the drop allows to lose on the selection samples, below which the best of many like recipes is only the luckiest."""
UNKNOWN, RESERVED = 25.0, 0.4
"""Seconds for the verdict while nobody knows what it takes, and the share of the budget that it takes at most."""
LATER = 1.3
"""What the verdict takes to what a new best took."""
RACE_SHARE, LONG = 0.04, 600.0
"""Of the budget: what the last race takes at most; and the seconds from which the memory is measured in several processes."""


@dataclass
class State:
    """One search so far."""

    bench: Bench
    request: TuneRequest
    data: Data
    stage: str = "sensitivity"
    heat: HeatMap | None = None
    heatless: str = ""
    """Why there is no heat map."""

    walks: list[Walk] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    best: Point | None = None
    looks: list[Look] = field(default_factory=list)
    earlier: dict[tuple[str, int], Point] = field(default_factory=dict)
    """What this very search tried before it was stopped."""

    around: set[int] = field(default_factory=set)
    """The points whose neighbours are among the ladders."""

    finished: list[float] = field(default_factory=list)
    """Seconds that it took to make a candidate something to download, each time."""

    spent: float = 0.0
    """Seconds before it was stopped."""

    def __post_init__(self) -> None:
        self.started, progress = time.monotonic(), self.bench.tools.progress
        self.bench.tools = replace(self.bench.tools, progress=lambda _, text: progress(self.share, text))
        self.allowed, self.budget = self.request.max_drop, 60 * self.request.minutes
        self.trials: Trials
        self.original: Original

    @property
    def seconds(self) -> float:
        """Seconds of search so far, those before it was stopped included."""
        return self.spent + time.monotonic() - self.started

    @property
    def share(self) -> float:
        """How much of its time the search has used."""
        return min(1.0, self.seconds / self.budget) if self.budget else 1.0

    @property
    def source(self) -> Model:
        """The model that is searched for."""
        return self.request.subject.model

    @property
    def goal(self) -> Goal:
        """What is minimised."""
        return self.request.minimise

    @property
    def effort(self) -> Effort:
        """What the measurements of the winner may take."""
        seconds = min(compress.RACE_SECONDS, max(QUICK.seconds, RACE_SHARE * self.budget))
        return Effort(seconds, None if self.budget >= LONG else QUICK.processes)

    @property
    def reserve(self) -> float:
        """The seconds that are left for the verdict."""
        known = LATER * max(self.finished[-3:], default=UNKNOWN) + self.effort.seconds
        return min(known, RESERVED * self.budget)

    @property
    def telling(self) -> bool:
        """Whether the selection samples are enough to tell like recipes apart."""
        return self.allowed * self.trials.samples >= TELLING

    @property
    def leader(self) -> Point | None:
        """The best point so far, whether or not it can be downloaded yet."""
        return next(iter(self.frontier()), None)

    def able(self) -> list[Point]:
        """Return the points within the drop that beat the source, the best first."""
        able = [p for p in self.points if p.within and p.measure is not None and p.measure < self.original.measure]
        return sorted(able, key=lambda p: (p.measure, p.cautious))

    def frontier(self) -> list[Point]:
        """Return the points within the drop that beat the source, the best first, each with less to lose than those before."""
        found: list[Point] = []
        for point in self.able():
            if not found or (point.cautious or 0.0) < (found[-1].cautious or 0.0):
                found.append(point)
        return found

    def tell(self, text: str) -> None:
        """Say how far the search is in its time."""
        self.bench.tools.progress(None, text)

    def hopeless(self, walk: Walk) -> bool:
        """Say whether no rung of a ladder can beat the best so far."""
        best = self.leader.measure if self.leader else None
        floored = self.goal is Goal.SIZE and best is not None and best <= walk.ladder.floor * self.source.size
        return floored or walk.hopeless(best)
