"""Names for new values of a model that nothing in it has yet.

By hand: onnx-ir 1.1.0 has no public source of names, and its pass for them mends only those that are missing or there twice.
"""

from collections.abc import Iterable
from itertools import chain, count

from core.onnx import weights
from core.onnx.typing import ModelProto


class FreshNames:
    """Names that are not taken, each given once; a copy gives the same short ones anew."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken, self._number = set(taken), 0

    @classmethod
    def of(cls, model: ModelProto) -> "FreshNames":
        """Return names beside all values of a model."""
        return cls(weights.names(model))

    def short(self) -> str:
        """Return the next free name of letters alone: a, b, ... z, aa, ab, ..."""
        while True:
            name, self._number = _letters(self._number), self._number + 1
            if name not in self._taken:
                return name

    def like(self, name: str, ending: str) -> str:
        """Return a name with an ending, and a number behind it where that is taken."""
        wanted = f"{name}_{ending}"
        free = next(one for one in chain([wanted], (f"{wanted}_{n}" for n in count(2))) if one not in self._taken)
        self._taken.add(free)
        return free


def _letters(number: int) -> str:
    text = ""
    while number >= 0:
        text, number = chr(ord("a") + number % 26) + text, number // 26 - 1
    return text
