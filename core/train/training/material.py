"""The samples of a training: which are trained on, which decide what is kept, and new ones made by mixing.

The teacher can answer any input, so that samples may be mixed where there are few (Zhang 2018, arXiv 1710.09412, with
the teacher's answers in the place of mixed labels; long, and beside other changes, as Beyer 2022, arXiv 2106.05237, does).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.domain.errors import Refused
from core.onnx.typing import IntArray, Matrix, Samples

LEAST = 32
"""Samples below which nothing could be kept apart."""
KEPT, MOST_KEPT = 0.15, 2000
"""Share of the samples that decide, and their number at most."""
FEW = 10_000
"""Samples below which mixed ones are added.

A narrower Fashion-MNIST network that saw 500 images 60 times had 8,255 to 8,264 of 9,000 right with them in three
trainings, and without them 8,225 to 8,246, or 8,231 to 8,235 in twice the epochs, which takes as long; in 8 epochs they
gain nothing for their time.
"""
SWAPPED = 0.3
"""Largest share of entries of an integer input that come from another sample."""


def require(inputs: Samples) -> None:
    """Raise Refused where samples [n, ...] are too few to keep some apart."""
    n = len(next(iter(inputs.values()), ()))
    if not n:
        raise Refused("Training learns from samples, and there are none.", "Add a data set; it needs no labels.")
    if n < LEAST:
        raise Refused(f"Training needs {LEAST} samples, but there are only {n}.", "Add more samples.")


@dataclass(frozen=True)
class Batch:
    """Some samples with the teacher's answers, and their labels where these are used."""

    inputs: Samples
    answers: list[np.ndarray]
    labels: np.ndarray | None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def rows(self, places: IntArray | slice) -> "Batch":
        """Return some rows."""
        labels = None if self.labels is None else self.labels[places]
        return Batch({n: a[places] for n, a in self.inputs.items()}, [a[places] for a in self.answers], labels)


@dataclass(frozen=True)
class Material:
    """Samples to train on, and others that decide which weights are kept."""

    trained: Batch
    deciding: Batch
    unit: int = 1
    """Samples that the model takes at a time, where it insists on a number."""

    @classmethod
    def split(cls, samples: Batch, batch: int | None, seed: int) -> "Material":
        """Deal samples out at random; ``batch`` divides the number of each part. Raises Refused where there are too few."""
        step, n = batch or 1, len(samples)
        kept = max(LEAST // 2, min(int(KEPT * n), MOST_KEPT)) // step * step or step
        if n < LEAST or n - kept < step:
            raise Refused(
                f"Training needs {max(LEAST, 2 * step)} samples, but there are only {n}.", "Add more samples."
            )
        order = np.random.default_rng(seed).permutation(n)
        return cls(samples.rows(np.sort(order[kept:])), samples.rows(np.sort(order[:kept])), step)

    @property
    def size(self) -> int:
        """The samples of one step: more where there are many."""
        n = len(self.trained)
        size = 32 if n < 2000 else 64 if n < 20_000 else 128
        return max(self.unit, size // self.unit * self.unit)


def batches(samples: Batch, size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Yield all samples once in random order, in batches of one size; a rest is left out."""
    order = rng.permutation(len(samples))
    size = min(size, len(samples))
    for start in range(0, len(samples) - size + 1, size):
        yield samples.rows(order[start : start + size])


def mixed(inputs: Samples, rng: np.random.Generator) -> Samples:
    """Mix each sample of a batch with another: floats by a weighted sum, integers by some entries where neither is 0 (padding)."""
    n = len(next(iter(inputs.values())))
    other, share = rng.permutation(n), rng.random(n)
    return {name: _mixed(array, array[other], share, rng) for name, array in inputs.items()}


def _mixed(array: np.ndarray, other: np.ndarray, share: Matrix, rng: np.random.Generator) -> np.ndarray:
    spread = share.reshape(-1, *[1] * (array.ndim - 1))
    if array.dtype.kind == "f":
        return (array * spread + other * (1 - spread)).astype(array.dtype)
    swapped = (rng.random(array.shape) < SWAPPED * spread) & (array != 0) & (other != 0)
    return np.where(swapped, other, array)
