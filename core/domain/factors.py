"""What the cost of a call hangs on: the size of the data, the complexity of the model, and the infrastructure."""

from dataclasses import dataclass
from typing import ClassVar

from core.domain.overhead import Race
from core.domain.profile import Timing
from core.domain.work import Data, NamedModel, Subject

UNCLEAR = 1.0
"""The width of an interval from which an exponent is named in no words."""
HARDLY = 0.2


@dataclass(frozen=True)
class FactorsRequest:
    """The model, its variants to time beside it, the data, and the job before it, so that measuring again is no equal work."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    variants: tuple[Subject, ...] = ()
    data: Data | None = None
    after: str | None = None


@dataclass(frozen=True)
class Point:
    """One size, and processor milliseconds of a call with it."""

    size: int
    cpu: float


@dataclass(frozen=True)
class Exponent:
    """The power of the size with which the time grows over the larger ``points`` sizes, and its 95 % interval."""

    value: float
    low: float
    high: float
    points: int


@dataclass(frozen=True)
class Growth:
    """How the time grows along one axis; ``exponent`` is None where fewer than four sizes ran."""

    DERIVED: ClassVar = ("words",)

    axis: str
    points: tuple[Point, ...]
    exponent: Exponent | None

    @property
    def words(self) -> str:
        """The growth in words, with its interval."""
        one = self.exponent
        if one is None:
            return f"Too few sizes ran to say how the time grows with {self.axis}."
        told = f"exponent {one.value:.2f}, {one.low:.2f} to {one.high:.2f}"
        if one.high - one.low > UNCLEAR:
            return f"How the time grows with {self.axis} is not clear ({told})."
        return f"With {self.axis} the time grows {_named(one)} ({told})."


def _named(one: Exponent) -> str:
    if one.high < HARDLY:
        return "hardly at all"
    if one.low <= 1 <= one.high:
        return "in proportion"
    if one.high < 1:
        return "more slowly than in proportion"
    if one.low <= 2 <= one.high:
        return "with the square"
    return (
        "faster than with the square"
        if one.low > 2
        else "faster than in proportion, but more slowly than with the square"
    )


@dataclass(frozen=True)
class Grown:
    """The growth along each axis that the model leaves open, and one call on more and more threads; empty where the runtime takes one number."""

    axes: tuple[Growth, ...]
    threads: tuple[Timing, ...]


@dataclass(frozen=True)
class Variant:
    """A model and what tells of its complexity: parameters, MACs of a call, bytes; its race against the first, or why there is none."""

    model: NamedModel
    parameters: int | None
    macs: int | None
    cpu: float | None
    race: Race | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Factors:
    """What was found; the first of ``variants`` is the model itself."""

    DERIVED: ClassVar = ("sentence",)

    runtime: str
    grown: Grown
    variants: tuple[Variant, ...]
    data: Data | None
    seconds: float

    @property
    def sentence(self) -> str:
        """What the time of a call hangs on, in sentences."""
        told = [growth.words for growth in self.grown.axes]
        return " ".join([*told, self.threads]) or "This model takes inputs of one size, on one thread."

    @property
    def threads(self) -> str:
        """What more threads win by the clock, in a sentence; empty where one number was tried."""
        if len(self.grown.threads) < 2:
            return ""
        first, last = self.grown.threads[0], self.grown.threads[-1]
        return f"{last.threads} threads answer {first.typical / last.typical:.2f} times as fast as one by the clock."
