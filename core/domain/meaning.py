"""What the answer of a model says in the end: a class, a text, or the numbers themselves."""

from dataclasses import dataclass
from enum import StrEnum

from core.domain.artifact import TensorSpec
from core.domain.task import Task


class Says(StrEnum):
    """How an answer is read."""

    TEXT = "text"
    """The task's decoding makes a text of all outputs."""

    LABEL = "label"
    """One output holds the class itself."""

    SCORES = "scores"
    """One output [n, classes] holds a number for each class, the largest of which is the answer."""

    NUMBERS = "numbers"
    """The outputs are the answer."""


@dataclass(frozen=True)
class Reading:
    """How answers are read, and the place of the output that says it."""

    says: Says
    place: int = 0

    @classmethod
    def of(cls, task: Task, outputs: tuple[TensorSpec, ...]) -> "Reading":
        """Return how answers with these outputs are read, as ``core.proof.predictions`` finds predictions in them."""
        if task.decode is not None:
            return cls(Says.TEXT)
        flat = [one.shape is not None and len(one.shape) in (1, 2) for one in outputs]
        for place, one in enumerate(outputs):
            if flat[place] and not one.dtype.startswith(("float", "bfloat")):
                return cls(Says.LABEL, place)
        for place, one in enumerate(outputs):
            if one.dtype.startswith("float") and one.shape and len(one.shape) == 2 and one.shape[1] != 1:
                return cls(Says.SCORES, place)
        return cls(Says.NUMBERS)


@dataclass(frozen=True)
class Meaning:
    """What one answer says: classes by name with their scores, the best first, or a text, or the first of the numbers."""

    words: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
