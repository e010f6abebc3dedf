"""Unstructured pruning by magnitude: the smallest weights become zero, and zeros are no longer stored (Han 2015, arXiv 1506.02626)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.domain.errors import Trouble
from core.domain.format import Summary
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique, without_weights
from core.domain.transform import option
from core.onnx import files, sparsity_patterns, weights
from core.onnx.integers import finish
from core.onnx.storage import Storage
from core.onnx.weights import Weight

LEAST = 256
"""Weights below which a tensor is no smaller without its zeros."""


@dataclass(frozen=True)
class MagnitudeOptions:
    """How many weights go, and among which they are ranked."""

    share: float = option(0.7, "Share of the weights to set to zero.", low=0.05, high=0.99)
    scope: str = option(
        "tensor", "Rank weights within each tensor, or across the whole model.", choices=("tensor", "model")
    )
    pattern: str = field(default=sparsity_patterns.ANY, metadata=sparsity_patterns.OPTION)
    keep: str = option("", KEEP)


class PruneMagnitude(Technique):
    """Prunes every tensor of two dimensions or more, and stores what is left with the steps between its entries."""

    title = "Prune by magnitude"
    sentence = (
        "Sets the smallest weights to zero and stores only the others, so that the file shrinks; speed does not change."
    )
    family, claim = Family.PRUNING, Claim.SIZE
    keeps = Keeps("fashion_cnn", changed=0.25, decibels=1)
    Options = MagnitudeOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why there is nothing to prune: the file has no weight tensors."""
        return without_weights(summary, "prune")

    def apply(self, source: Path, out: Path, options: MagnitudeOptions, lesson: Lesson) -> None:
        """Prune and store. Raises Refused where no tensor is large enough, or the file does not shrink."""
        model = files.load(source)
        storage = Storage(model)
        kept = weights.kept(options.keep, model)
        large = [weight for weight in weights.tables(model, LEAST, "prune") if weight.name not in kept]
        for weight, array in zip(large, _pruned(large, options), strict=True):
            storage.put(weight, array)
        storage.settle()
        finish(model, source, out)


def _pruned(large: list[Weight], options: MagnitudeOptions) -> Iterator[np.ndarray]:
    if options.pattern != sparsity_patterns.ANY:
        yield from (
            sparsity_patterns.largest_left(w.array, sparsity_patterns.input_axis(w), options.pattern) for w in large
        )
        return
    for weight, cut in zip(large, _cuts(large, options), strict=True):
        array = weight.array
        yield np.where(np.abs(array) > cut, array, np.zeros((), array.dtype))


def _cuts(large: list[Weight], options: MagnitudeOptions) -> list[float]:
    """Return the magnitude up to which the weights of each tensor go."""
    sizes = [np.abs(weight.array).reshape(-1) for weight in large]
    if options.scope == "model" and sizes:
        return [float(np.quantile(np.concatenate(sizes), options.share, method="lower"))] * len(large)
    return [float(np.quantile(one, options.share, method="lower")) for one in sizes]


TECHNIQUE = PruneMagnitude()
