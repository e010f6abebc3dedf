"""What a model is for: how raw data become its inputs, and what its answers mean."""

from dataclasses import dataclass

from core.domain.recipe import Step


@dataclass(frozen=True)
class Task:
    """Declared once for a model, and true for all that is made from it.

    ``prepare`` are steps of ``core.preprocessing`` in a row, from a raw sample to one input; ``classes`` are the names
    of the classes by number, empty where the model answers with names, or nobody said.
    """

    prepare: tuple[Step, ...] = ()
    classes: tuple[str, ...] = ()
