"""What is asked, and answered, to see how raw data become the inputs of a model."""

from dataclasses import dataclass
from typing import ClassVar

from core.domain.task import Better, Shown, Task
from core.domain.work import Data, Subject


@dataclass(frozen=True)
class PreviewRequest:
    """The model, and raw samples with a task to try, or without one to have it guessed."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    data: Data | None = None
    task: Task | None = None
    """What is said of the model without samples, such as its metric."""


@dataclass(frozen=True)
class Preview:
    """The task that was declared or guessed, some samples step by step, better steps if some were found, and how the data were read."""

    task: Task
    shown: tuple[Shown, ...]
    better: Better | None
    read: tuple[str, ...]
    data: Data | None = None
    """As it was asked."""
