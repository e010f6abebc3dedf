"""How far a model can go: what became of each target when it was tried."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self


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
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the artifact and of its bundle, where there is a file to take away."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self) | {"standing": str(self.standing), "steps": [asdict(leg) for leg in self.steps]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild an attempt from ``to_json``."""
        legs = tuple(Leg(**leg) for leg in value["steps"])
        return cls(**{**value, "standing": Standing(value["standing"]), "steps": legs})
