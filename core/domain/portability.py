"""How far a model can go: what became of each target when it was tried."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from core.domain.recipe import Option
from core.domain.references import Sha256
from core.domain.work import Code, Data, Subject


class Standing(StrEnum):
    """What is known of one target; the first two are not over yet."""

    WAITING = "waiting"
    TRYING = "trying"
    PROVEN = "proven here"
    UNPROVEN = "not proven"
    WRITTEN = "written, cannot run here"
    DIFFERS = "differs"
    REFUSED = "refused"
    MISSING = "group missing"
    NO_ROUTE = "no route"

    @property
    def over(self) -> bool:
        """Say whether this target has been tried."""
        return self not in (Standing.WAITING, Standing.TRYING)

    @property
    def words(self) -> str:
        """How a person reads it; the value is what is stored."""
        return "not installed" if self is Standing.MISSING else str(self)

    @property
    def usable(self) -> bool:
        """Say whether there is a file to take away."""
        return self in (Standing.PROVEN, Standing.UNPROVEN, Standing.WRITTEN)


@dataclass(frozen=True)
class Leg:
    """One step on the way to a target: its converter, the format that it writes, and its verdict once it ran."""

    converter: str
    title: str
    format: str
    verdict: str | None = None


@dataclass(frozen=True)
class Attempt:
    """One target: where it stands and why, over which steps, and the figures of its proof; size in bytes."""

    target: str
    title: str
    standing: Standing
    steps: tuple[Leg, ...] = ()
    reason: str = ""
    next_step: str = ""
    samples: int | None = None
    max_abs: float | None = None
    size: int | None = None
    seconds: float | None = None
    files: dict[str, Sha256] = field(default_factory=dict)
    """SHA-256 of the artifact and of its bundle, where there is a file to take away."""


@dataclass(frozen=True)
class PortabilityRequest:
    """The model, options for every step that declares them, and the owner's data and Python file."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    options: dict[str, Option] = field(default_factory=dict)
    data: Data | None = None
    code: Code | None = None


@dataclass(frozen=True)
class Portability:
    """What became of every target so far."""

    DERIVED: ClassVar = ("proven", "of")

    attempts: tuple[Attempt, ...]
    seconds: float
    data: Data | None

    @property
    def proven(self) -> int:
        """How many targets are proven."""
        return sum(attempt.standing is Standing.PROVEN for attempt in self.attempts)

    @property
    def of(self) -> int:
        """How many targets there are."""
        return len(self.attempts)
