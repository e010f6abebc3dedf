"""One search for the best trade-off: which candidate comes next, what is best so far, and the verdict at the end."""

import random
import time
from dataclasses import dataclass, field, replace
from typing import Any

from core.bench import Bench, Cost
from core.domain.errors import Cancelled, PortolanError, Refused
from core.domain.technique import QUARTERS
from core.domain.tuning import Goal, HeatMap, Look, Point
from core.domain.work import Data, Lessons, Model
from core.tuning import finishing, ladders, tally
from core.tuning.ladders import Ladder, Means
from core.tuning.neighbours import NEAR, neighbours
from core.tuning.trials import Trials
from core.tuning.walks import Walk

LEARNING, SELECTION = QUARTERS
MINUTES = 10.0
HOPE = 0.9
"""Of the best measure: what a fresh ladder of rank 0 is hoped to come to; one of rank 2 to no less than the best."""
TELLING = 5.0
"""Answers that the drop allows to lose on the selection samples, below which the best of many like recipes is only the luckiest."""
LEAST_SECONDS = 20.0
"""What a candidate may take however little time is left."""


@dataclass
class Search:
    """One search: what is known of the source, the ladders, and what was tried so far."""

    bench: Bench
    args: dict[str, Any]
    source: Model
    data: Data
    goal: Goal
    stage: str = "sensitivity"
    heat: HeatMap | None = None
    heatless: str = ""
    """Why there is no heat map."""

    walks: list[Walk] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    best: Point | None = None
    looks: list[Look] = field(default_factory=list)
    standard: dict[str, Any] = field(default_factory=dict)
    """The source's own measure and quality."""

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
        self.allowed = float(self.args["max_drop"])
        self.budget = 60 * float(self.args.get("minutes", MINUTES))

    @property
    def seconds(self) -> float:
        """Seconds of search so far, those before it was stopped included."""
        return self.spent + time.monotonic() - self.started

    @property
    def share(self) -> float:
        """How much of its time the search has used."""
        return min(1.0, self.seconds / self.budget) if self.budget else 1.0

    def prepare(self) -> None:
        """Take up what was kept, record the source's answers on the selection samples, and measure the sensitivity."""
        before = self.bench.tools.memory.known("tune", self.args) or {}
        self.spent = float(before.get("seconds", 0.0))
        self.earlier = {(p.ladder, p.rung): p for p in map(Point.from_json, before.get("points", []))}
        self.tell("Recording the answers of the source model on the selection samples")
        self.trials = self.opened()
        self.standard = {
            "measure": self.trials.measure(self.source),
            "quality": self.trials.quality.to_json() if self.trials.quality else None,
            "size": self.source.size,
        }
        self.keep("sensitivity")
        summary, _ = self.bench.audit(self.source, "source.onnx")
        self.heat = self.measured(before.get("heat"))
        self.walks = [Walk(ladder, self.allowed) for ladder in self.usable(summary)]
        self.keep("searching")

    def opened(self) -> Trials:
        """Return what candidates are tried with."""
        selection = replace(self.data, half=SELECTION)
        answers, quality, samples = self.bench.answers(self.source, selection)
        lessons = Lessons(self.data, LEARNING, SELECTION, answers, self.allowed)
        golden = self.bench.probe(self.source, selection)
        return Trials(self.bench, self.source, lessons, golden, quality, self.goal, samples)

    def measured(self, before: dict[str, Any] | None) -> HeatMap | None:
        """Return the heat map, measured once; None where there is none, which the search can do without."""
        keep, learning = {name for name in self.args.get("keep", []) if name}, replace(self.data, half=LEARNING)
        self.tell("Measuring the sensitivity of each layer")
        try:
            heat = HeatMap.from_json(before) if before else self.bench.sensitivity(self.source, learning)
        except Cancelled:
            raise
        except PortolanError as error:
            self.heatless = error.message
            return None
        if unknown := keep - {row.name for row in heat.rows}:
            known = ", ".join(row.name for row in heat.rows[:20])
            raise Refused(
                f"No weight that can be tuned is called {', '.join(sorted(unknown))}.",
                f"Weights that there are: {known}.",
            )
        return heat.keeping(keep)

    def usable(self, summary: dict[str, Any]) -> list[Ladder]:
        """Return the ladders to walk. Raises Refused where there is none."""
        keep = ",".join(self.args.get("keep", []))
        means = Means(self.trials.samples, self.budget / 60)
        found = ladders.ladders(summary, self.goal, self.heat, keep, means)
        if not found:
            raise Refused(f"No technique here makes the {self.goal} of this model smaller.", "Choose another goal.")
        return found

    def walk(self) -> None:
        """Try one candidate after the other until the time is up or none is left that can win."""
        while (pick := self.pick() or self.longer()) and (not self.points or self.timely(*pick)):
            self.visit(*pick)
            self.look_around()
            self.train_on()
            finishing.settle(self)

    def timely(self, walk: Walk, rung: int) -> bool:
        """Say whether there is time for a rung; one that was tried before takes none."""
        latest = [point.seconds for point in self.points[-5:]]
        training = 60 * sum(map(ladders.reckoned, walk.ladder.rungs[rung]))
        ahead = training + sum(latest) / len(latest) + finishing.reserve(self) if self.best else 0.0
        return (walk.ladder.id, rung) in self.earlier or self.seconds + ahead < self.budget

    def pick(self) -> tuple[Walk, int] | None:
        """Return the ladder that promises most, with its next rung: by what that should measure."""
        able = [(walk, rung) for walk in self.walks if (rung := walk.next) is not None and not self.hopeless(walk)]
        return min(able, key=lambda one: self.promise(one[0]), default=None)

    def longer(self) -> tuple[Walk, int] | None:
        """Where no ladder is left that can win, add those that train with longer trainings, and return what to try."""
        return self.pick() if self.add_longer(self.walks) else None

    def train_on(self) -> None:
        """Add the ladders with longer trainings that are walked and came near the leader: more of the same may win."""
        best = self.leader.measure if self.leader else None
        self.add_longer([walk for walk in self.walks if walk.next is None and near(walk, best)])

    def add_longer(self, walks: list[Walk]) -> bool:
        """Put some ladders with longer trainings among the others, and say whether there was one that is new."""
        known = {walk.ladder.id for walk in self.walks}
        found = (ladders.longer(walk.ladder, walk.within) for walk in walks)
        new = [Walk(ladder, self.allowed) for ladder in found if ladder and ladder.id not in known]
        self.walks += new
        return bool(new)

    def look_around(self) -> None:
        """Put the recipes near a new leader among the ladders, in the place of those near the last."""
        if (
            not self.telling
            or self.goal not in ladders.FILES
            or self.leader is None
            or self.leader.number in self.around
        ):
            return
        self.around.add(self.leader.number)
        self.walks = [walk for walk in self.walks if walk.tried or not walk.ladder.id.startswith(NEAR)]
        known, keep = {walk.ladder.id for walk in self.walks}, ",".join(self.args.get("keep", []))
        found = [ladders.keeping(one, keep) for one in neighbours(self.leader.recipe, self.heat)]
        self.walks += [Walk(ladder, self.allowed) for ladder in found if ladder.id not in known]

    def promise(self, walk: Walk) -> tuple[float, ...]:
        """Return what ladders are ordered by: what the next rung should measure, by rank where none was tried; the seed decides among equals."""
        chance = random.Random(f"{self.args.get('seed', 0)} {walk.ladder.id}").random()  # noqa: S311
        reach = self.leader.measure if self.leader and self.leader.measure else self.standard["measure"]
        fresh = reach * (HOPE + walk.ladder.rank * (1 - HOPE) / 2)
        return (walk.guess() or reach if walk.tried else fresh), walk.ladder.rank, chance

    def hopeless(self, walk: Walk) -> bool:
        """Say whether no rung of a ladder can beat the best so far."""
        best = self.leader.measure if self.leader else None
        floored = self.goal is Goal.SIZE and best is not None and best <= walk.ladder.floor * self.source.size
        return floored or walk.hopeless(best)

    def visit(self, walk: Walk, rung: int) -> Point:
        """Try one rung, unless it was tried before the search was stopped, and keep and return what came of it."""
        self.bench.cost, begun = Cost(), time.monotonic()
        known = self.earlier.get((walk.ladder.id, rung))
        if known is None:
            self.tell(f"{walk.ladder.title}, rung {rung + 1} of {len(walk.ladder.rungs)}")
            known = replace(self.tried(walk.ladder, rung), seconds=time.monotonic() - begun)
        point = replace(known, number=len(self.points), files={})
        self.points.append(point)
        walk.note(point)
        self.keep(self.stage)
        return point

    def tried(self, ladder: Ladder, rung: int) -> Point:
        """Return the point of a rung: what its recipe came to on the selection samples, or why it did not run."""
        steps = [step.to_json() for step in ladder.rungs[rung]]
        empty = Point(0, ladder.id, rung, ladder.title, ladder.family, tuple(steps), 0.0)
        try:
            return self.trials.tried(empty, max(LEAST_SECONDS, self.budget - self.seconds))
        except Cancelled:
            raise
        except PortolanError as error:
            reason = f"{error.message} {error.next_step}".strip()
            return replace(empty, reason=reason, broken=not isinstance(error, Refused))

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
        able = [p for p in self.points if p.within and p.measure is not None and p.measure < self.standard["measure"]]
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

    def keep(self, stage: str) -> None:
        """Write down what is known so far."""
        self.stage = stage
        self.bench.tools.memory.keep(tally.result(self))


def near(walk: Walk, best: float | None) -> bool:
    """Say whether a little more on a ladder would beat the best."""
    found = walk.measures.get(walk.within) if walk.within is not None else None
    return found is not None and best is not None and HOPE * found <= best
