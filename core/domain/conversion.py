"""A model in another format: what is asked, what each step made, and the proof."""

from dataclasses import dataclass, field
from typing import ClassVar

from core.domain.compression import MAX_DROP
from core.domain.made import InSteps, MadeStep
from core.domain.measures import Qualities, Sizes
from core.domain.recipe import Option
from core.domain.report import Parity
from core.domain.work import Bundle, Code, Data, Golden, NamedModel, Subject


@dataclass(frozen=True)
class ConvertRequest:
    """The model, the format to reach, options for the steps that declare them, and the owner's data and Python file."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    target: str
    options: dict[str, Option] = field(default_factory=dict)
    data: Data | None = None
    code: Code | None = None
    max_drop: float = MAX_DROP
    """How much of the quality may be lost, where a metric is declared."""


@dataclass(frozen=True)
class ConvertedStep(MadeStep):
    """One converter that ran: its title, the verdict against the source, and against the step before it alone where that was asked."""

    converter: str
    parity: Parity
    alone: Parity | None


@dataclass(frozen=True)
class Conversion(InSteps[ConvertedStep]):
    """All that a conversion found; seconds and megabytes are what the children used."""

    DERIVED: ClassVar = ("artifact", "recipe", "parity", "summary")

    source: NamedModel
    steps: tuple[ConvertedStep, ...]
    guilty: str | None
    quality: Qualities | None
    size: Sizes
    seconds: float
    peak_rss_mb: float
    golden: Golden
    data: Data | None
    bundle: Bundle | None = None
    lost: tuple[str, ...] = ()
    """What the source says and the result does not, in a sentence each."""

    @property
    def read(self) -> tuple[str, ...]:
        """How the data was read, and why its labels may not fit, in a sentence each."""
        return self.quality.before.remarks if self.quality else self.golden.evidence.data

    @property
    def parity(self) -> Parity:
        """The proof of the last step."""
        return self.steps[-1].parity
