"""How good answers are, beside the one figure that verdicts are made of."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from core.domain.shelf import Entry


class Needs(StrEnum):
    """The kind of answers that a metric is about."""

    CLASSES = "classes"
    SCORES = "scores"
    """A number for each class, beside the classes."""

    NUMBERS = "numbers"
    TEXTS = "texts"


@dataclass(frozen=True)
class Figure:
    """One metric on some samples: its id and title, its value, and whether more of it is better."""

    id: str
    title: str
    value: float
    samples: int
    higher: bool

    @property
    def words(self) -> str:
        """The figure as people read it."""
        return f"{self.title} {self.value:.4g}"


@dataclass(frozen=True)
class Answers:
    """Answers beside labels: both [n] of one kind, and scores [n, classes] float64 that sum up to 1 (softmax of what did not), None where there is none for each class."""

    labels: Any
    found: Any
    scores: Any | None = None


class Metric(Entry):
    """Computes one figure of all samples; runs in the sandboxed worker."""

    needs: ClassVar[Needs]
    higher: ClassVar[bool] = True
    """Whether more of it is better."""

    def value(self, answers: Answers) -> float | None:
        """Return the figure, or None where it is not defined for these answers."""
        raise NotImplementedError
