"""One search for the best trade-off: which candidate comes next, what is best so far, and the verdict at the end."""

import random
import time
from dataclasses import dataclass, field, replace
from typing import Any

from core import compress, ladders, tally
from core.domain.errors import Cancelled, PortolanError, Refused
from core.domain.report import Verdict
from core.domain.technique import QUARTERS
from core.domain.tuning import Goal, HeatMap, Look, Point
from core.ladders import Ladder
from core.transform import Bench, Cost, Data, Golden, Model
from core.trials import RACE_SECONDS, Trials
from core.walks import Walk

LEARNING, SELECTION = QUARTERS
MINUTES = 10.0
LOOKS = 3
"""Looks at the test half at most: more would make it one more set to choose by."""
RESERVE, RESERVED = 25.0, 0.2
"""Seconds for the verdict at the end, and the share of the budget that they take at most."""
SUBJECT = ("sha256", "size", "format", "name", "artifact", "consent")


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

    held: Golden | None = None
    """The source's answers on the test half, once it was looked at."""

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
        self.tell("Recording the answers of the source on the selection samples")
        self.trials = self.opened()
        summary, _ = self.bench.audit(self.source, "source.onnx")
        self.heat = self.measured(before.get("heat"))
        self.walks = [Walk(ladder) for ladder in self.usable(summary)]
        quality = self.trials.quality.to_json() if self.trials.quality else None
        self.standard = {"measure": self.trials.measure(self.source), "quality": quality, "size": self.source.size}
        self.keep("searching")

    def opened(self) -> Trials:
        """Return what candidates are tried with."""
        learning, selection = (replace(self.data, half=part) for part in QUARTERS)
        golden = self.bench.probe(self.source, selection)
        quality = self.bench.evaluate(self.source, selection) if golden.evidence.get("labelled") else None
        return Trials(self.bench, self.source, learning, selection, golden, quality, self.goal, self.allowed)

    def measured(self, before: dict[str, Any] | None) -> HeatMap | None:
        """Return the heat map, measured once; None where there is none, which the search can do without."""
        keep = {name for name in self.args.get("keep", []) if name}
        self.tell("Measuring what each layer bears")
        try:
            heat = HeatMap.from_json(before) if before else self.bench.sensitivity(self.source, self.trials.learning)
        except Cancelled:
            raise
        except PortolanError as error:
            self.heatless = error.message
            return None
        if unknown := keep - {row.name for row in heat.rows}:
            known = ", ".join(row.name for row in heat.rows[:20])
            raise Refused(f"No weight that is tuned is called {', '.join(sorted(unknown))}.", f"There are: {known}.")
        return heat.keeping(keep)

    def usable(self, summary: dict[str, Any]) -> list[Ladder]:
        """Return the ladders to walk. Raises Refused where there is none."""
        found = ladders.ladders(summary, self.goal, self.heat, ",".join(self.args.get("keep", [])))
        if not found:
            raise Refused(f"No technique here makes the {self.goal} of this model less.", "Choose another goal.")
        return found

    def walk(self) -> None:
        """Try one candidate after the other until the time is up or no ladder has a rung left that can win."""
        while (pick := self.pick()) and (not self.points or self.timely(*pick)):
            point = self.visit(*pick)
            if self.wins(point):
                self.finish(point)
                self.keep("searching")

    def timely(self, walk: Walk, rung: int) -> bool:
        """Say whether there is time for a rung; one that was tried before takes none."""
        reserve = self.reserve if self.best else 0.0
        return (walk.ladder.id, rung) in self.earlier or self.seconds < self.budget - reserve

    @property
    def reserve(self) -> float:
        """Seconds that are left for the verdict."""
        return min(RESERVE, RESERVED * self.budget)

    def pick(self) -> tuple[Walk, int] | None:
        """Return the ladder that promises most, with its next rung: first each once by rank, then by what the rung should measure."""
        able = [(walk, rung) for walk in self.walks if (rung := walk.next) is not None and not self.hopeless(walk)]
        return min(able, key=lambda one: self.promise(one[0]), default=None)

    def promise(self, walk: Walk) -> tuple[float, ...]:
        """Return what ladders are ordered by; the seed decides among equals."""
        chance = random.Random(f"{self.args.get('seed', 0)} {walk.ladder.id}").random()  # noqa: S311
        return (1, walk.guess() or 0.0, chance) if walk.tried else (0, walk.ladder.rank, chance)

    def hopeless(self, walk: Walk) -> bool:
        """Say whether no rung of a ladder can beat the best so far."""
        best = self.best.measure if self.best else None
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

    def wins(self, point: Point) -> bool:
        """Say whether a point is within the drop and better than the source and the best so far."""
        reach = self.best.measure if self.best and self.best.measure is not None else self.standard["measure"]
        return point.within and point.measure is not None and point.measure < reach

    def tried(self, ladder: Ladder, rung: int) -> Point:
        """Return the point of a rung: what its recipe came to on the selection samples, or why it did not run."""
        steps = [step.to_json() for step in ladder.rungs[rung]]
        empty = Point(0, ladder.id, rung, ladder.title, ladder.family, tuple(steps), 0.0)
        try:
            return self.trials.tried(empty)
        except Cancelled:
            raise
        except PortolanError as error:
            reason = f"{error.message} {error.next_step}".strip()
            return replace(empty, reason=reason, broken=not isinstance(error, Refused))

    def finish(self, point: Point) -> None:
        """Make a new best a finished compression, with proof and bundle, that can be downloaded from now on."""
        self.tell(f"New best: {point.title}; packing it with its evidence")
        result = self.finished(point, SELECTION, self.trials.golden)
        if Verdict(result["parity"]["verdict"]) is not Verdict.FAIL:
            self.best = self.points[point.number] = replace(point, files=files(result))

    def finished(self, point: Point, part: str, golden: Golden) -> dict[str, Any]:
        """Return the compression of a point, judged on a part of the data, and write it down as such."""
        memory, request = self.bench.tools.memory, self.request(point, part)
        if (known := memory.known("compress", request)) is not None:
            return known
        seconds = RACE_SECONDS if part == SELECTION else compress.RACE_SECONDS
        held = replace(self.data, half=part)
        result = compress.proven(self.bench, request, self.source, self.trials.applied(point), held, golden, seconds)
        memory.answer("compress", request, result)
        return result

    def request(self, point: Point, part: str) -> dict[str, Any]:
        """Return how anybody asks for the compression of a point."""
        subject = {key: self.args.get(key) for key in SUBJECT}
        data = {"recipe": list(point.recipe), "max_drop": self.allowed, "data": self.args["data"]}
        return {**subject, **data, "learns": LEARNING, "judged": part}

    def judge(self) -> None:
        """Look at the test half with the winner, and where it fails there with the next on the frontier, or a gentler rung."""
        self.keep("judging")
        point = next(iter(self.frontier()), None)
        while point is not None and len(self.looks) < LOOKS:
            if self.look(point) is not Verdict.FAIL:
                break
            point = self.milder(point)
        self.stage = "done"

    def look(self, point: Point) -> Verdict:
        """Judge a point on the test half."""
        self.tell(f"Judging {point.title} on the test half")
        self.bench.cost = Cost()
        if self.held is None:
            self.held = self.bench.probe(self.source, replace(self.data, half=compress.TEST))
        result = self.finished(point, compress.TEST, self.held)
        parity = result["parity"]
        self.looks.append(Look(point.number, parity["verdict"], parity["reason"], files(result)))
        verdict = Verdict(parity["verdict"])
        self.best = None if verdict is Verdict.FAIL else replace(point, files=files(result))
        self.keep("judging")
        return verdict

    def milder(self, failed: Point) -> Point | None:
        """Return what to judge after a point that failed: the next on the frontier, else a gentler rung of its ladder, tried now."""
        later = [p for p in self.frontier() if (p.measure or 0.0) > (failed.measure or 0.0)]
        if later:
            return later[0]
        tried = {(point.ladder, point.rung) for point in self.points}
        walk, rung = next(walk for walk in self.walks if walk.ladder.id == failed.ladder), failed.rung // 2
        if rung == failed.rung or (failed.ladder, rung) in tried or len(self.looks) == LOOKS:
            return None
        point = self.visit(walk, rung)
        return point if point in self.frontier() else None

    def frontier(self) -> list[Point]:
        """Return the points within the drop that beat the source, the best first, each with less to lose than those before."""
        found: list[Point] = []
        able = [p for p in self.points if p.within and p.measure is not None and p.measure < self.standard["measure"]]
        for point in sorted(able, key=lambda p: (p.measure, p.cautious)):
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


def files(result: dict[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of what a compression leaves to download; nothing where it failed."""
    bundle = result["bundle"]
    return {"artifact": result["artifact"]["sha256"], "bundle": bundle["sha256"]} if bundle else {}
