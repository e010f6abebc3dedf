"""What a model is for: how raw data become its inputs, and what its answers mean."""

import re
from dataclasses import dataclass
from typing import ClassVar

from core.domain.recipe import Step
from core.domain.report import Count

DATA_URI = re.compile(r"data:image/jpeg;base64,[A-Za-z0-9+/]{1,60000}={0,2}")
"""A small picture as text, and nothing else."""


@dataclass(frozen=True)
class Task:
    """Declared once for a model, and true for all that is made from it.

    ``prepare`` are steps of ``core.preprocessing`` in a row, from a raw sample to one input; ``decode`` is the way of
    ``core.decoding`` from the outputs to an answer, None where these are classes or numbers already; ``classes`` are the
    names of the classes by number, empty where the model answers with names, or nobody said. ``metric`` is the one of
    ``core.metrics`` that a verdict on quality is made of, empty for right answers, or RMSE where these are numbers.
    """

    prepare: tuple[Step, ...] = ()
    classes: tuple[str, ...] = ()
    decode: Step | None = None
    metric: str = ""


@dataclass(frozen=True)
class Declaration:
    """What an owner says that a model is for, as it is stored beside the model."""

    task: Task


@dataclass(frozen=True)
class Stage:
    """A sample after one step: what the step did in words, what came of it (size and range of the numbers), and how that looks."""

    words: str
    result: str
    picture: str

    def __post_init__(self) -> None:
        if not DATA_URI.fullmatch(self.picture):
            raise ValueError("a stage holds something that is no small picture")


@dataclass(frozen=True)
class Shown:
    """One sample on its way into the model: its name, its stages, the model's answer, and the label beside it, empty where it has none."""

    name: str
    stages: tuple[Stage, ...]
    answer: str
    label: str


@dataclass(frozen=True)
class Better:
    """Other steps with which the model is right more often, by more than chance explains, and what is different in words."""

    DERIVED: ClassVar = ("sentence",)

    task: Task
    change: str
    before: Count
    after: Count

    @property
    def sentence(self) -> str:
        """What was found, to be read aloud."""
        return (
            f"With {self.change}, the accuracy rises from {self.before.k / self.before.n:.0%} to "
            f"{self.after.k / self.after.n:.0%} ({self.before.k:,} to {self.after.k:,} of the same {self.after.n:,} pictures)."
        )
