"""A server under load: requests begun at fixed times, whatever became of those before."""

from dataclasses import dataclass
from typing import ClassVar

from core.domain.work import Subject


@dataclass(frozen=True)
class LoadRequest:
    """The model whose package is served, the server by its id, requests a second, for how many seconds, and when it was asked."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    server: str
    rate: float
    seconds: float
    asked: float
    """Seconds since 1970: a measurement is made anew each time."""


@dataclass(frozen=True)
class Load:
    """What came of it: milliseconds from when a request was due to its answer (None where none was answered), and counts."""

    rate: float
    seconds: float
    sent: int
    answered: int
    refused: int
    """Answered with 429: too many waited."""

    failed: int
    p50: float | None
    p95: float | None
    p99: float | None
    late: float
    """Milliseconds by which the client itself sent its latest request too late, at worst."""
