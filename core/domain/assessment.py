"""What is known of a move before it begins: what the model stands on, how far each target bears it, and how that is known."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from core.domain.artifact import TensorSpec
from core.domain.work import Code, Data, Subject


class Known(StrEnum):
    """How a statement about a target is known; the surest first."""

    RAN = "ran here"
    LOADED = "loaded here"
    PARTITIONED = "partitioned here"
    RELATED = "loaded by the same engine here"
    TABLE = "name table"
    UNKNOWN = "not known"


class Fits(StrEnum):
    """Whether a target bears an operator, or the whole model."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    UNKNOWN = "not known"


class Effort(StrEnum):
    """How much work a move to a target is."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


@dataclass(frozen=True)
class Cell:
    """One operator on one target."""

    operator: str
    fits: Fits
    known: Known
    why: str = ""


@dataclass(frozen=True)
class Fit:
    """One target: whether it bears the whole model, how that is known, in a sentence, and operator by operator."""

    fits: Fits
    known: Known
    detail: str = ""
    cells: tuple[Cell, ...] = ()

    @property
    def told(self) -> str:
        """The answer with how it is known."""
        return f"{self.fits} ({self.known})" if self.fits is not Fits.UNKNOWN else str(self.fits)


NOT_TRIED = Fit(Fits.UNKNOWN, Known.UNKNOWN, "Nothing here can say so before it is exported.")


@dataclass(frozen=True)
class Concern:
    """Something that stands in the way (``blocker``) or should be known (``warning``), and what to do about it."""

    level: str
    what: str
    next_step: str = ""


@dataclass(frozen=True)
class Prospect:
    """A target with how it bears the model, the formats on the way, the effort with its reason, and what to do."""

    target: str
    title: str
    fit: Fit
    way: tuple[str, ...]
    effort: Effort
    reason: str
    next_step: str = ""
    blocked: bool = False


@dataclass(frozen=True)
class Needs:
    """What the model takes to run: bytes on disk and of its numbers, element types, and what its integers ask of a processor."""

    size: int
    weight_bytes: int | None
    precision: str | None
    processor: str


@dataclass(frozen=True)
class Card:
    """What the file stands on, read and never run: ``classes`` are operators or classes with their counts."""

    format: str
    title: str
    producer: str | None
    opset: int | None
    ir: int | None
    packages: tuple[str, ...]
    classes: dict[str, int]
    domains: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True)
class AssessRequest:
    """The model, and the owner's data and Python file, with which exports that were made already are found."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    data: Data | None = None
    code: Code | None = None


@dataclass(frozen=True)
class Assessment:
    """The card, the needs, the concerns and the targets, the easiest first; ``tried`` says on what form operators were tried."""

    DERIVED: ClassVar = ("ready", "of")

    card: Card
    needs: Needs
    concerns: tuple[Concern, ...]
    prospects: tuple[Prospect, ...]
    tried: str
    seconds: float
    data: Data | None = field(default=None)

    @property
    def ready(self) -> int:
        """How many targets bear the whole model, as far as was tried or is named in a table."""
        return sum(one.fit.fits is Fits.YES and not one.blocked for one in self.prospects)

    @property
    def of(self) -> int:
        """How many targets there are."""
        return len(self.prospects)
