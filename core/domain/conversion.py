"""A model in another format: what is asked, what each step made, and the proof."""

from dataclasses import dataclass, field
from typing import ClassVar

from core.domain.format import Summary
from core.domain.measures import Qualities, Sizes
from core.domain.recipe import Option, Step
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


@dataclass(frozen=True)
class ConvertedStep:
    """One converter that ran: what it wrote, the verdict against the source, and against the step before it alone where that was asked."""

    INLINE: ClassVar = ("step", "model")

    step: Step
    model: NamedModel
    title: str
    converter: str
    parity: Parity
    alone: Parity | None
    summary: Summary
    graph: str | None


@dataclass(frozen=True)
class Conversion:
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

    @property
    def artifact(self) -> NamedModel:
        """What the last step wrote."""
        return self.steps[-1].model

    @property
    def recipe(self) -> tuple[Step, ...]:
        """The steps as they can be run again."""
        return tuple(one.step for one in self.steps)

    @property
    def parity(self) -> Parity:
        """The proof of the last step."""
        return self.steps[-1].parity

    @property
    def summary(self) -> Summary:
        """What the last file says of itself."""
        return self.steps[-1].summary
