"""How good answers are: the figures that are shown, and the one among them that a verdict is made of."""

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
    scores: Any = None


class Metric(Entry):
    """Computes one figure of all samples; runs in the sandboxed worker.

    ``parts`` and ``weighed`` compute the same figure, of which ``value`` is the library's, for samples that count
    several times or not at all: a bootstrap draws thousands of them.
    """

    needs: ClassVar[Needs]
    higher: ClassVar[bool] = True
    """Whether more of it is better."""

    grows: ClassVar[bool] = False
    """A loss is the share by which it grew, as of an error with a unit; else it is counted in points of the figure."""

    by_class: ClassVar[bool] = False
    """Each class counts as much as another, however rare, so that none may be missing."""

    step: ClassVar[float] = 0.0
    """By how much ``each`` must differ before a sample counts as answered otherwise."""

    def value(self, answers: Answers) -> float | None:
        """Return the figure, or None where it is not defined for these answers."""
        raise NotImplementedError

    def parts(self, answers: Answers) -> Any:
        """Return what ``weighed`` needs of the answers."""
        raise NotImplementedError

    def weighed(self, parts: Any, times: Any) -> float:
        """Return the figure of samples that count as often as ``times`` [n] says; NaN where it is not defined."""
        raise NotImplementedError

    def each(self, answers: Answers) -> Any:
        """Return how each sample is answered [n], as far as the figure looks at it."""
        raise NotImplementedError

    def bias(self, answers: Answers) -> float:
        """Return by how much the figure of these samples may be above that of all samples, on average."""
        return 0.0

    def blind(self, answers: Answers) -> float | None:
        """Return the figure of one answer to everything, which a model must beat; None where that is no bar."""
        raise NotImplementedError

    @property
    def counted(self) -> str:
        """How its loss is counted, as a sentence."""
        if self.grows:
            return f"{self.title}: a loss is the share by which it grows."
        return f"{self.title}: a loss is counted in points, of which 100 are the whole."
