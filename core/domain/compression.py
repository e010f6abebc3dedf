"""A model made smaller or faster: what is asked, what each technique made, what was won and what was lost."""

from dataclasses import dataclass
from typing import ClassVar

from core.domain.format import Summary
from core.domain.measures import KernelCounts, Memory, Qualities, Sizes
from core.domain.overhead import Race
from core.domain.recipe import Step
from core.domain.report import Parity
from core.domain.technique import HALVES
from core.domain.weight_change import WeightChange
from core.domain.work import Bundle, Data, Golden, NamedModel, Subject

MAX_DROP = 0.01
CALIBRATION, TEST = HALVES


@dataclass(frozen=True)
class CompressRequest:
    """The model, the techniques in a row, the data, the share by which quality may fall, and the parts of the data that are learned from and judged by."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    recipe: tuple[Step, ...]
    data: Data | None = None
    max_drop: float = MAX_DROP
    learns: str = CALIBRATION
    judged: str = TEST


@dataclass(frozen=True)
class Cause:
    """One sentence; ``worse`` where the result is worse than its source, or not what the technique is for."""

    text: str
    worse: bool


@dataclass(frozen=True)
class CompressedStep:
    """One technique that ran, and what it wrote."""

    INLINE: ClassVar = ("step", "model")

    step: Step
    model: NamedModel
    title: str
    family: str
    summary: Summary
    graph: str | None


@dataclass(frozen=True)
class Compression:
    """All that a compression found, measured on the stored file."""

    DERIVED: ClassVar = ("artifact", "recipe", "summary")

    source: NamedModel
    steps: tuple[CompressedStep, ...]
    parity: Parity
    quality: Qualities | None
    size: Sizes
    speed: Race
    memory: Memory
    kernels: KernelCounts
    weights: tuple[WeightChange, ...]
    why: tuple[Cause, ...]
    seconds: float
    peak_rss_mb: float
    golden: Golden
    data: Data | None
    safe_on: str
    bundle: Bundle | None = None
    travel: Bundle | None = None
    """The bundle with the packed model, where that is smaller than zipped."""

    @property
    def artifact(self) -> NamedModel:
        """What the last step wrote."""
        return self.steps[-1].model

    @property
    def recipe(self) -> tuple[Step, ...]:
        """The steps as they can be run again."""
        return tuple(one.step for one in self.steps)

    @property
    def summary(self) -> Summary:
        """What the last file says of itself."""
        return self.steps[-1].summary
