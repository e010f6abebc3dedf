"""Unstructured pruning by magnitude: the smallest weights become zero, and zeros are no longer stored (Han 2015, arXiv 1506.02626)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core import onnx_files, onnx_weights, patterns
from core.domain.errors import Trouble
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique, without_weights
from core.integers import finish
from core.onnx_storage import Storage
from core.onnx_weights import Weight

LEAST = 256
"""Weights below which a tensor is no smaller without its zeros."""


@dataclass(frozen=True)
class MagnitudeOptions:
    """How many weights go, and among which they are ranked."""

    share: float = field(
        default=0.7, metadata={"help": "Share of the weights that become zero.", "low": 0.05, "high": 0.99}
    )
    scope: str = field(
        default="tensor",
        metadata={"help": "Rank weights within each tensor, or all in the model.", "choices": ("tensor", "model")},
    )
    pattern: str = field(default=patterns.ANY, metadata=patterns.OPTION)
    keep: str = field(default="", metadata=KEEP)


class PruneMagnitude(Technique):
    """Prunes every tensor of two dimensions or more, and stores what is left with the steps between its entries."""

    title = "Prune by magnitude"
    sentence = "Sets the smallest weights to zero and stores only the others, so that the file shrinks; speed stays."
    family, claim = Family.PRUNING, Claim.SIZE
    keeps = Keeps("fashion_cnn", changed=0.25, decibels=1)
    Options = MagnitudeOptions

    def applies(self, summary: dict[str, Any]) -> Trouble | None:
        """Return why there is nothing to prune: the file has no weight tensors."""
        return without_weights(summary, "prune")

    def apply(self, source: Path, out: Path, options: MagnitudeOptions, lesson: Lesson) -> None:
        """Prune and store. Raises Refused where no tensor is large enough, or the file does not shrink."""
        model = onnx_files.load(source)
        storage = Storage(model)
        kept = onnx_weights.kept(options.keep, model)
        large = [weight for weight in onnx_weights.tables(model, LEAST, "prune") if weight.name not in kept]
        for weight, array in zip(large, _pruned(large, options), strict=True):
            storage.put(weight, array)
        storage.settle()
        finish(model, source, out)


def _pruned(large: list[Weight], options: MagnitudeOptions) -> Iterator[Any]:
    if options.pattern != patterns.ANY:
        yield from (patterns.largest_left(w.array, patterns.input_axis(w), options.pattern) for w in large)
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
