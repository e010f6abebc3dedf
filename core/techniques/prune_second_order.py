"""Unstructured pruning by second order: the weights that stay make up for those that go (SparseGPT: Frantar 2023, arXiv 2301.00774)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core import linear_layers, onnx_files, onnx_weights, second_order
from core.domain.errors import Refused, Trouble
from core.domain.technique import Claim, Family, Lesson, Technique, without_weights
from core.integers import finish
from core.linear_layers import Layer
from core.onnx_storage import Storage

LEAST = 256
"""Weights below which a tensor is no smaller without its zeros."""


@dataclass(frozen=True)
class SecondOrderOptions:
    """How many weights go."""

    share: float = field(
        default=0.7, metadata={"help": "Share of the weights that become zero.", "low": 0.05, "high": 0.99}
    )


class PruneSecondOrder(Technique):
    """Prunes Conv, Gemm and MatMul by what each weight costs on the samples; tables are pruned by magnitude."""

    title = "Prune by second order"
    sentence = "Sets the weights to zero that matter least on your samples, corrects the others, and stores only those."
    family, claim, calibrates = Family.PRUNING, Claim.SIZE, True
    Options = SecondOrderOptions

    def applies(self, summary: dict[str, Any]) -> Trouble | None:
        """Return why there is nothing to prune: the file has no weight tensors."""
        return without_weights(summary, "prune")

    def apply(self, source: Path, out: Path, options: SecondOrderOptions, lesson: Lesson) -> None:
        """Prune, correct and store. Raises Refused without layers or samples, or where the file does not shrink."""
        model = onnx_files.load(source)
        storage = Storage(model)
        layers = linear_layers.layers(model, LEAST)
        if not layers or not lesson.inputs:
            lacking = "samples" if layers else f"Conv, Gemm or MatMul layers with {LEAST} weights or more"
            raise Refused(f"Second-order pruning needs {lacking}.", "Prune by magnitude instead.")
        original = onnx_files.load(source)
        named = {layer.weight.name for layer in layers}
        for table in onnx_weights.weights(model, LEAST):
            if len(table.tensor.dims) > 1 and table.name not in named:
                table.put(_smallest_gone(table.array, options.share))
        for layer in layers:
            moments = linear_layers.moments(original, model, layer, lesson.inputs)
            for weight, array in _pruned(layer, moments, options.share):
                weight.put(array)
        for weight in onnx_weights.weights(model, LEAST):
            storage.put(weight, weight.array)
        storage.settle()
        finish(model, source, out)


def _smallest_gone(array: Any, share: float) -> Any:
    cut = np.quantile(np.abs(array), share, method="lower")
    return np.where(np.abs(array) > cut, array, np.zeros((), array.dtype))


def _pruned(layer: Layer, moments: Any, share: float) -> list[tuple[Any, Any]]:
    """Return the new arrays of the layer's weights and, where it has one, of its bias."""

    def choose(columns: Any, spread: Any, _: Any) -> Any:
        costs = (columns / spread) ** 2
        return costs > np.quantile(costs, share, method="lower") if share else np.ones(costs.shape, bool)

    def solve(matrix: Any, inputs: Any, tail: int) -> Any:
        found = second_order.reconstruct(matrix, inputs, choose, lambda column: column, tail)
        return second_order.settled(found, matrix, inputs)

    return layer.solved(moments, solve)


TECHNIQUE = PruneSecondOrder()
