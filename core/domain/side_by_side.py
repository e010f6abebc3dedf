"""One model in several runtimes: its file and its conversions, each timed against the file in pairs, with the proof of its answers."""

from dataclasses import dataclass
from typing import ClassVar

from core.domain.overhead import Footprint, Pace, Race
from core.domain.report import Parity, Verdict
from core.domain.work import Data, NamedModel, Subject


@dataclass(frozen=True)
class SideBySideRequest:
    """The model, its conversions that are files already, the formats to convert it to on the way, the data, the samples of a call, and the job before it, so that measuring again is no equal work."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    others: tuple[Subject, ...] = ()
    formats: tuple[str, ...] = ()
    data: Data | None = None
    batch: int = 1
    after: str | None = None


@dataclass(frozen=True)
class Way:
    """One file in the runtime of its format; ``parity``, ``race`` and ``memory`` are None where ``trouble`` says why."""

    name: str
    format: str
    runtime: str
    model: NamedModel | None = None
    parity: Parity | None = None
    race: Race | None = None
    memory: Footprint | None = None
    trouble: str = ""

    @property
    def answers(self) -> bool:
        """Say whether it is proven to answer as the file does."""
        return self.parity is not None and self.parity.verdict is Verdict.PASS


@dataclass(frozen=True)
class SideBySide:
    """The file in its own runtime, with the median of processor milliseconds of a call, and every other way to run it."""

    DERIVED: ClassVar = ("sentence",)

    model: NamedModel
    runtime: str
    cpu: float | None
    memory: Footprint
    ways: tuple[Way, ...]
    batch: int
    data: Data | None
    seconds: float

    @property
    def best(self) -> Way | None:
        """The way with the same answers that is surely faster by most, or None where none is faster."""
        sure = [one for one in self.ways if one.answers and one.race and one.race.pace is Pace.FASTER]
        return max(sure, key=lambda one: one.race.low if one.race else 0.0, default=None)

    @property
    def sentence(self) -> str:
        """What was found, in a sentence."""
        timed = sum(one.race is not None for one in self.ways)
        if not timed:
            return f"Nothing else here runs this model, so {self.runtime} stands alone."
        tried = f"{timed} other {'ways' if timed > 1 else 'way'} to run it {'were' if timed > 1 else 'was'} tried"
        best = self.best
        if best is None or best.race is None:
            return f"Nothing with the same answers is proven faster than {self.runtime}; {tried}."
        race = best.race
        return (
            f"{best.runtime} gives the same answers {race.ratio:.2f} times as fast as {self.runtime} "
            f"({race.low:.2f} to {race.high:.2f}, 95 % interval); {tried}."
        )
