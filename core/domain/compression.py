"""A model made smaller or faster: what is asked, what each technique made, what was won and what was lost."""

from dataclasses import dataclass
from typing import ClassVar

from core.domain.made import InSteps, MadeStep
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
class CompressedStep(MadeStep):
    """One technique that ran, with the family that it is of."""

    family: str


@dataclass(frozen=True)
class Compression(InSteps[CompressedStep]):
    """All that a compression found, measured on the stored file."""

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

    read: tuple[str, ...] = ()
    """How the data was read, and why its labels may not fit, in a sentence each."""
