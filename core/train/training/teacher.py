"""The model whose answers are learned, run in ONNX Runtime, and what sort of answers they are."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from core.domain.errors import Refused
from core.onnx import calibration
from core.onnx.typing import Samples

CHUNK = 256
LARGEST = 1 << 30
"""Bytes of answers that are kept; samples beyond are left out."""
SURE = 0.5
"""Mean probability of the first class from which numbers are taken for logits: those of an embedding say nothing so clearly."""


class Kind(StrEnum):
    """What the numbers of an output are."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"
    NUMBERS = "numbers"


@dataclass(frozen=True)
class Output:
    """One output of floats: its place among the outputs, its kind, the axis of its classes, and the variance of its numbers."""

    place: int
    kind: Kind
    axis: int
    variance: float


class Teacher:
    """An ONNX file that answers arrays by the name of the input."""

    def __init__(self, path: Path) -> None:
        self._session = calibration.session(path, "all")
        self.inputs = [value.name for value in self._session.get_inputs()]

    @property
    def batch(self) -> int | None:
        """The samples that the file insists on at a time, if it does."""
        return calibration.batch(self._session)

    def laid_out(self, samples: Samples) -> Samples:
        """Return samples [n, ...] as the file takes them."""
        return calibration.laid_out(self._session, samples)

    def answer(self, feed: Samples) -> list[np.ndarray]:
        """Return all outputs for one batch. Raises Refused where the samples do not run."""
        return calibration.run(self._session, {name: feed[name] for name in self.inputs if name in feed})

    def answers(self, samples: Samples, enough: Callable[[int], bool]) -> list[np.ndarray]:
        """Return each output for the first samples, until so many are ``enough``: whole batches, and no more than a gigabyte.

        Raises Refused where an output has not one row for each sample.
        """
        step, total = self.batch or CHUNK, len(next(iter(samples.values())))
        whole = total - total % self.batch if self.batch else total
        pieces: list[list[np.ndarray]] = []
        for start in range(0, whole, step):
            stop = min(start + step, whole)
            found = self.answer({name: array[start:stop] for name, array in samples.items()})
            _check_rows(found, stop - start)
            pieces.append(found)
            if enough(stop) or sum(out.nbytes for out in found) * len(pieces) > LARGEST:
                break
        return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


def outputs(answers: list[np.ndarray]) -> list[Output]:
    """Return what each output of floats is. Raises Refused where there is none to learn from."""
    found = [_output(place, array) for place, array in enumerate(answers) if array.dtype.kind == "f" and array.size]
    if not found:
        raise Refused(
            "The model has no float outputs, so there is no gradient to train by.",
            "Export the model with its scores as outputs.",
        )
    return found


def _output(place: int, array: np.ndarray) -> Output:
    axis = 1 if array.ndim in (2, 4) else -1
    variance = max(float(np.var(array.astype(np.float64))), 1e-30)
    return Output(place, _kind(array, axis), axis, variance)


def _kind(array: np.ndarray, axis: int) -> Kind:
    """Tell probabilities by their sum, and logits by naming different classes with clear preference."""
    if array.ndim < 2 or array.shape[axis] < 2 or not np.isfinite(array).all():
        return Kind.NUMBERS
    if array.min() >= 0 and array.max() <= 1 and np.allclose(array.sum(axis), 1, atol=1e-3):
        return Kind.PROBABILITIES
    shifted = np.exp(array - array.max(axis, keepdims=True))
    first = float(np.mean(1 / shifted.sum(axis)))
    return Kind.LOGITS if first >= SURE and len(np.unique(array.argmax(axis))) > 1 else Kind.NUMBERS


def _check_rows(found: list[np.ndarray], rows: int) -> None:
    if any(not out.shape or out.shape[0] != rows for out in found if hasattr(out, "shape")):
        raise Refused(
            "An output of the model does not have one row per sample, so there is nothing to learn for a single sample.",
            "Remove the part of the model that sums or sorts samples, or returns a state.",
        )
