"""A random model with what is needed to convert it and to contradict its proof."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.domain.recipe import Option

Inputs = dict[str, np.ndarray]
Answer = Callable[[Inputs], list[np.ndarray]]
Question = tuple[str, Inputs]


@dataclass(frozen=True)
class Specimen:
    """A model on the disk, in one format, made from one seed.

    ``answers`` are its owner's library first, and then other opinions on the same file; ``shaken`` are the first one with
    other roundings on the way; ``exact`` says that nothing on the way is rounded at all. ``questions`` yields fresh inputs
    with the kind of each; ``shapes`` is what the file does not say; ``about`` says in a few words what it is.
    """

    path: Path
    format: str
    answers: tuple[Answer, ...]
    questions: Callable[[np.random.Generator], Iterator[Question]]
    about: str
    shapes: str = ""
    shaken: tuple[Answer, ...] = ()
    exact: bool = False
    options: Mapping[str, Option] = field(default_factory=dict)


class Unmade(Exception):
    """A seed from which no model comes that its own library runs."""
