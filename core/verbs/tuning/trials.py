"""How one candidate of a search is tried: its recipe runs on the learning quarter and is scored on the selection quarter."""

from dataclasses import dataclass, field, replace
from typing import Any

from core.calls import attempt, footprint, inspect, pack, race
from core.calls.bench import Bench
from core.domain.errors import Refused
from core.domain.limits import WORKING
from core.domain.recipe import Step
from core.domain.report import Quality
from core.domain.tuning import Goal, Point
from core.domain.work import Attempt, Golden, Lessons, Model, Trial
from core.techniques import TECHNIQUES
from core.verbs import compress
from core.verbs.compress import Effort, Reduced
from core.verbs.transform import zipped_size
from core.verbs.tuning.ladders import CLEAN_UP

QUICK = Effort(seconds=3.0, processes=1)
"""What the measurements of a candidate that is the best so far may take; those of the winner take longer."""
STORED = frozenset(("codebooks", "codebooks_second_order", "fine_tune"))
"""Behind these, which leave small tensors in float32 and all arithmetic in floats, float16 halves what is left."""
NAMES = {Goal.SIZE: "size", Goal.TRAVEL: "travel", Goal.LATENCY: "time", Goal.MEMORY: "memory"}


@dataclass(frozen=True)
class Trials:
    """What candidates are tried with: the source, its answers, what they learn from and are scored on, and what is minimised."""

    bench: Bench
    source: Model
    lessons: Lessons
    golden: Golden
    quality: Quality | None
    """Of the source on the selection samples; None without labels."""

    goal: Goal
    samples: int
    """How many there are to learn from, about."""

    made: dict[tuple[str, int], tuple[Model, ...]] = field(default_factory=dict)
    """What the steps of a candidate wrote, for those within the drop."""

    audited: dict[tuple[str, int], list[Reduced]] = field(default_factory=dict)

    def tried(self, point: Point, seconds: float) -> Point:
        """Return a point with what its recipe came to, in some seconds at most. Raises what a technique raises."""
        return self.scored(point, self.attempted(point, seconds))

    def attempted(self, point: Point, seconds: float) -> Attempt:
        """Run the recipe of a point, with what makes the file smaller still behind it."""
        limits, packs = replace(WORKING, wall_seconds=seconds), self.goal is Goal.TRAVEL
        done = attempt.ask(self.bench, self.source, trial(point.recipe), self.lessons, packs, limits)
        if done.models:
            self.made[point.ladder, point.rung] = done.models
        return done

    def applied(self, point: Point) -> list[Reduced]:
        """Return the techniques of a point's recipe as they ran; what they wrote is audited like a stranger's upload."""
        key = (point.ladder, point.rung)
        if key not in self.audited:
            self.audited[key] = self._applied(point, key)
        return self.audited[key]

    def _applied(self, point: Point, key: tuple[str, int]) -> list[Reduced]:
        if key not in self.made and not self.attempted(point, WORKING.wall_seconds).models:
            raise Refused("The recipe no longer gives the same file.", "Start the search again.")
        models = self.made[key]
        steps = compress.plan(self.source.format, point.recipe)
        found = inspect.audit(self.bench, models, "artifact.onnx")
        rows = zip(steps, models, found, strict=True)
        return [Reduced(step, technique, model, one.summary, one.graph) for (technique, step), model, one in rows]

    def scored(self, point: Point, done: Attempt) -> Point:
        """Return the point with what was lost on the selection samples, and with what it measures if it is within the drop."""
        score, loss = done.score, done.score.loss
        point = replace(
            point,
            recipe=done.steps,
            sha256=done.models[-1].sha256 if done.models else "",
            size=done.size,
            travel=done.travel,
            quality=score.quality.value if score.quality else None,
            metric=score.quality.metric if score.quality else "agreement",
            changed=score.changed,
            lost=loss.share,
            expected=loss.expected,
            cautious=loss.cautious,
            bound=loss.bound,
            within=bool(done.models),
            reason=score.fault,
        )
        if self.goal is Goal.SIZE:
            return replace(point, measure=done.size)
        return self.measured(point, done.models[-1]) if done.models else point

    def measured(self, point: Point, model: Model) -> Point:
        """Return the point with what is minimised."""
        measure = point.travel if point.travel and self.goal is Goal.TRAVEL else self.measure(model)
        named: dict[str, Any] = {NAMES[self.goal]: measure}
        return replace(point, **named, measure=measure)

    def measure(self, model: Model) -> float:
        """Return what is minimised: bytes, the share of the source's processor time, or megabytes."""
        if self.goal is Goal.SIZE:
            return model.size
        if self.goal is Goal.TRAVEL:
            return self.packed(model)
        if self.goal is Goal.MEMORY:
            return footprint.ask(self.bench, model, self.golden).peak
        if model == self.source:
            return 1.0
        return 1 / race.ask(self.bench, self.source, model, self.golden, seconds=QUICK.seconds).ratio

    def packed(self, model: Model) -> int:
        """Return the download size of a file in bytes: packed, or zipped where it is not packed."""
        try:
            return pack.ask(self.bench, model).size
        except Refused:
            return zipped_size(self.bench.tools.blobs.path(model.sha256))


def trial(recipe: tuple[Step, ...]) -> Trial:
    """Return a recipe as a child runs it: a clean-up runs where it gains, and so does float16 for what shared values leave."""
    steps = tuple(step for step in recipe if step.transform != CLEAN_UP.transform) or (CLEAN_UP,)
    kinds = {TECHNIQUES[step.transform].kind for step in steps} - {"light"}
    keep = {name: value for name, value in steps[-1].options.items() if name == "keep"}
    half = (Step("float16", keep),) if steps[-1].transform in STORED else ()
    return Trial(steps, (*half, CLEAN_UP) if steps != (CLEAN_UP,) else (), min(kinds, default="light"))
