"""What is set beside each other, before and after: sizes, qualities, memory and kernels."""

from dataclasses import dataclass
from typing import ClassVar

from core.domain.loss import PairedLoss
from core.domain.overhead import Footprint, Kernels
from core.domain.report import Quality, Verdict


@dataclass(frozen=True)
class Sizes:
    """Bytes of both files, as deployed and as a download: zipped, and packed where that was tried; ``not_packed`` says why not."""

    DERIVED: ClassVar = ("ratio",)

    before: int
    after: int
    zipped_before: int
    zipped_after: int
    packed_before: int | None = None
    packed_after: int | None = None
    not_packed: str | None = None

    @property
    def ratio(self) -> float:
        """How many times smaller the file is."""
        return self.before / max(1, self.after)

    def download(self) -> tuple[str, int, int]:
        """Return how both files are downloaded smallest, packed or zipped, and their bytes then, before and after."""
        if self.packed_after and self.packed_after < self.zipped_after:
            return "packed", self.packed_before or self.zipped_before, self.packed_after
        return "zipped", self.zipped_before, self.zipped_after


@dataclass(frozen=True)
class Kept:
    """Whether a quality is kept: the verdict, and what it rests on."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Qualities:
    """The quality of both files on the same labelled samples, and what was lost; None where an older Portolan did not say."""

    before: Quality
    after: Quality
    loss: PairedLoss | None = None
    kept: Kept | None = None
    """Whether the quality is kept, where a metric was declared and a loss is allowed."""

    def seen(self, samples: str) -> str:
        """Say what was seen on the samples, which are called as told."""
        before, after, loss = self.before, self.after, self.loss
        if not (before.correct and after.correct):
            return f"{after.metric} went from {before.value:.4g} to {after.value:.4g} on {after.samples:,} {samples}."
        counts = f"{before.correct.k:,} to {after.correct.k:,} of {after.correct.n:,}"
        turned = (
            f" ({loss.lost:,} answers lost, {loss.won:,} won)"
            if loss and loss.moved and loss.samples == after.samples
            else ""
        )
        name = after.metric[:1].upper() + after.metric[1:]
        return f"{name} went from {before.value:.2%} to {after.value:.2%}: {counts} {samples}{turned}."

    @property
    def told(self) -> tuple[str, ...]:
        """What was seen, what it says of other samples, and the class that lost most, in a sentence each; with a verdict where there is one."""
        if self.kept:
            return (f"{self.kept.verdict}: {self.kept.reason}",)
        return tuple(filter(None, (self.seen("samples"), self.loss.bounds if self.loss else "", self.worst)))

    @property
    def worst(self) -> str:
        """The class that lost most, as a sentence; empty where none lost, or nothing is known of classes."""
        sides = [
            (name, self.before.classes[name], one)
            for name, one in self.after.classes.items()
            if name in self.before.classes
        ]
        lost = [((a.k - b.k) / max(1, a.n), name, a, b) for name, a, b in sides if a.k > b.k]
        if not lost:
            return ""
        _, name, a, b = max(lost, key=lambda one: one[0])
        return f"Worst class: {name[:60]}, from {a.k:,} to {b.k:,} of {a.n:,}."


@dataclass(frozen=True)
class Memory:
    """The memory that both files take."""

    before: Footprint
    after: Footprint


@dataclass(frozen=True)
class KernelCounts:
    """What the engine runs of both files."""

    before: Kernels
    after: Kernels
