"""What one person or project may use; None is no bound, or leaves it to the settings."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Allowance:
    """Processor minutes and bytes that come in, both of a day, and bytes that are kept."""

    minutes: int | None = None
    sent: int | None = None
    kept: int | None = None


@dataclass(frozen=True)
class Left:
    """How many bytes may still come, of what in words, and the next step."""

    bytes: int
    of: str
    next_step: str
