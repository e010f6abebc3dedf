"""How one candidate of a search is tried: its recipe runs on the learning quarter and is scored on the selection quarter."""

from dataclasses import dataclass, field, replace
from typing import Any

from core import compress, ladders
from core.compress import Reduced
from core.domain.errors import Cancelled, PortolanError, Refused
from core.domain.report import Count, Parity, Quality, Verdict
from core.domain.technique import ANY
from core.domain.tuning import Goal, Loss, Point
from core.ladders import CLEAN_UP
from core.transform import Bench, Data, Golden, Model, zipped_size

RACE_SECONDS = 3.0
NAMES = {Goal.SIZE: "size", Goal.TRAVEL: "travel", Goal.LATENCY: "time", Goal.MEMORY: "memory"}


@dataclass(frozen=True)
class Trials:
    """What candidates are tried with: the source and what it answers on the selection samples, the drop, and what is minimised."""

    bench: Bench
    source: Model
    learning: Data
    selection: Data
    golden: Golden
    quality: Quality | None
    """Of the source on the selection samples; None without labels."""

    goal: Goal
    allowed: float
    ran: dict[tuple[str, int], list[Reduced]] = field(default_factory=dict)

    def tried(self, point: Point) -> Point:
        """Return a point with what its recipe came to. Raises what a technique raises."""
        return self.scored(point, self.applied(point))

    def applied(self, point: Point) -> list[Reduced]:
        """Return the techniques of a point's recipe as they ran, with a clean-up behind them where that helps."""
        key = (point.ladder, point.rung)
        if key not in self.ran:
            bare = [step for step in point.recipe if step["transform"] != CLEAN_UP.transform] or list(point.recipe)
            steps = compress.plan(self.source.format, bare)
            applied = compress.reduce(self.bench, self.source, steps, self.learning)
            self.ran[key] = applied if steps[-1][1] == CLEAN_UP else [*applied, *self.cleaned(applied[-1])]
        return self.ran[key]

    def cleaned(self, last: Reduced) -> list[Reduced]:
        """Return the clean-up of a result, or nothing where it has no use."""
        ((technique, step),) = compress.plan(self.source.format, [CLEAN_UP.to_json()])
        try:
            model = self.bench.compress(last.model, technique, step.options, None, teacher=self.source)
        except Cancelled:
            raise
        except PortolanError:
            return []
        return [Reduced(step, technique, model, *self.bench.audit(model, "artifact.onnx"))]

    def scored(self, point: Point, applied: list[Reduced]) -> Point:
        """Return the point with what was lost on the selection samples, and with what it measures if it is within the drop."""
        model = applied[-1].model
        parity = self.bench.compare(model, self.golden, ANY)
        quality = self.bench.evaluate(model, self.selection) if self.quality else None
        lost, expected, cautious, changed = losses(parity, self.quality, quality)
        failed = parity.verdict is Verdict.FAIL
        within = not failed and max(lost, cautious) <= self.allowed
        point = replace(
            point,
            recipe=tuple(one.step.to_json() for one in applied),
            sha256=model.sha256,
            size=model.size,
            quality=quality.value if quality else None,
            metric=quality.metric if quality else "agreement",
            changed=changed,
            lost=lost,
            expected=expected,
            cautious=cautious,
            within=within,
            reason=parity.reason if failed else "",
        )
        return self.measured(point, model) if within or self.goal in ladders.FILES else point

    def measured(self, point: Point, model: Model) -> Point:
        """Return the point with what is minimised."""
        measure = self.measure(model)
        named: dict[str, Any] = {NAMES[self.goal]: measure}
        return replace(point, **named, measure=measure)

    def measure(self, model: Model) -> float:
        """Return what is minimised: bytes, the share of the source's processor time, or megabytes."""
        if self.goal is Goal.SIZE:
            return model.size
        if self.goal is Goal.TRAVEL:
            return self.packed(model)
        if self.goal is Goal.MEMORY:
            return self.bench.footprint(model, self.golden).peak
        if model == self.source:
            return 1.0
        return 1 / self.bench.race(self.source, model, self.golden, seconds=RACE_SECONDS).ratio

    def packed(self, model: Model) -> int:
        """Return the bytes of a file as it travels: packed, or zipped where it is not packed."""
        try:
            return self.bench.pack(model).size
        except Refused:
            return zipped_size(self.bench.tools.blobs.path(model.sha256))


def losses(parity: Parity, before: Quality | None, after: Quality | None) -> tuple[float, float, float, Count | None]:
    """Return what was lost, what is to be expected elsewhere, that with caution, and the changed predictions; see ``RULE``.

    Raises Refused where there is nothing to choose by.
    """
    check = next((check for check in parity.checks if check.name == "data"), None)
    changed = check.flips if check else None
    if before is None or after is None:
        if changed is None:
            raise Refused(
                "The answers are no classes, and there are no labels to choose by.", "Add labels to the data."
            )
        loss = Loss(changed.n, changed.k, None)
        return loss.share, loss.expected, loss.cautious, changed
    lost, _ = compress.fallen(before, after)
    if not (before.correct and after.correct):
        return lost, lost, 2 * max(lost, 0.0), changed
    n = changed.n if changed else before.correct.n
    moved = max(changed.k if changed else 0, round(abs(lost) * n))
    loss = Loss(n, moved, lost * n)
    return lost, loss.expected, loss.cautious, changed
