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

    budget: float | None = None
    """Milliseconds within which 95 of 100 answers must come; with it, the largest rate that keeps to it is looked for."""


@dataclass(frozen=True)
class Tried:
    """One rate of the search: requests, answers, and whether it is safe. ``p95`` and its ``bound`` are milliseconds, None where the answers do not carry them."""

    rate: float
    sent: int
    answered: int
    p95: float | None
    bound: float | None
    safe: bool


@dataclass(frozen=True)
class SafeRate:
    """The largest rate at which every request was answered and the 95th percentile lies, with 99 % confidence, within the budget.

    ``rate`` is None where none was safe; ``unsafe`` is the lowest rate above it that was not, None where the search ended below one.
    """

    budget: float
    rate: float | None
    unsafe: float | None
    tried: tuple[Tried, ...]

    @property
    def sentence(self) -> str:
        """What was found."""
        if self.rate is None:
            return f"No rate that was tried is safe: 95 of 100 answers within {self.budget:g} ms could not be shown."
        above = f"; {self.unsafe:.4g} a second was not" if self.unsafe is not None else ", as much as is tried"
        return f"Safe up to {self.rate:.4g} requests a second within {self.budget:g} ms{above}."


@dataclass(frozen=True)
class Load:
    """What came of it: milliseconds from when a request was due to its answer (None where the answers do not carry the percentile), and counts."""

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

    safe: SafeRate | None = None
