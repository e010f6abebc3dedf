"""Sets the weights of an ONNX file beside those of what a technique made of it, tensor by tensor."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.domain.weight_change import Histogram, WeightChange
from core.onnx import files, unfolding, weights

if TYPE_CHECKING:
    import onnx

LARGEST = 32
"""Tensors that are looked at, from the largest."""

BINS = 48
WIDENING = frozenset(("DequantizeLinear", "Transpose"))
"""What stands between stored integers and the layer that takes them as floats."""

INTEGER_LAYERS = ("MatMulInteger", "ConvInteger")


@dataclass(frozen=True)
class Stored:
    """The weights of one tensor as the layer takes them, its name, and the bytes that the file stores for it."""

    name: str
    array: np.ndarray
    bytes: int
    scaled: bool = True
    """False for integers whose scale the graph applies behind the layer."""


def changes(before: Path, after: Path) -> list[WeightChange]:
    """Return the largest tensors of ``before``, each with what stands in its place in ``after``.

    The same name tells the same tensor; what has lost its name is found by its order among tensors of its size.
    """
    old = sorted(stored(files.load(before)), key=lambda one: -one.array.size)[:LARGEST]
    new = stored(files.load(after))
    found = paired(old, new)
    taken = {one.name for one in found.values()}
    beside = {one.name: one.bytes for one in new if one.name not in taken}
    return [change(one, found.get(one.name), part_of(one.name, beside)) for one in old]


def part_of(name: str, beside: dict[str, int]) -> int:
    """Return the bytes of what a tensor was split into, which is named after it."""
    return sum(size for other, size in beside.items() if other.startswith(name))


def stored(model: "onnx.ModelProto") -> list[Stored]:
    """Return the tensors of floats with two dimensions or more, in the order of the file."""
    costs = sizes(model)
    unfolding.unfold(model, unfolding.OPERATORS | WIDENING)
    tensors = [weight for weight in weights.weights(model) if len(weight.tensor.dims) > 1]
    floats = [Stored(one.name, one.array.astype(np.float32), costs.get(one.name, one.array.nbytes)) for one in tensors]
    return floats + list(_integers(model, costs))


def _integers(model: "onnx.ModelProto", costs: dict[str, int]) -> Iterator[Stored]:
    from onnx import numpy_helper

    read = {node.input[1] for node in model.graph.node if node.op_type in INTEGER_LAYERS}
    for tensor in model.graph.initializer:
        if tensor.name in read:
            yield Stored(tensor.name, numpy_helper.to_array(tensor), costs[tensor.name], scaled=False)


def sizes(model: "onnx.ModelProto") -> dict[str, int]:
    """Return by the name of each value the bytes of the constants that it is computed from."""
    found: dict[str, dict[str, int]] = {}
    for graph in weights.graphs(model.graph):
        for tensor in graph.initializer:
            found[tensor.name] = {tensor.name: tensor.ByteSize()}
        for node in graph.node:
            if node.op_type == "Constant":
                found[node.output[0]] = {node.output[0]: node.ByteSize()}
            elif all(name in found for name in node.input if name):
                parts = [found[name] for name in node.input if name]
                found |= {name: {key: size for part in parts for key, size in part.items()} for name in node.output}
    return {name: sum(parts.values()) for name, parts in found.items()}


def paired(old: list[Stored], new: list[Stored]) -> dict[str, Stored]:
    """Return by the old tensor's name what stands in its place."""
    named = {one.name: one for one in new}
    found = {one.name: named[one.name] for one in old if one.name in named}
    taken = {one.name for one in found.values()}
    rest = [one for one in new if one.name not in taken]
    for one in sorted((one for one in old if one.name not in found), key=lambda one: one.name):
        match = next((other for other in rest if fits(one, other)), None)
        if match is not None:
            found[one.name] = match
            rest.remove(match)
    return found


def fits(old: Stored, new: Stored) -> bool:
    """Say whether the shapes are equal, or equal when turned."""
    return new.array.shape in (old.array.shape, old.array.shape[::-1])


def change(old: Stored, new: Stored | None, more: int) -> WeightChange:
    """Return what became of a tensor; ``more`` bytes stand beside what has its place."""
    shape = tuple(map(int, old.array.shape))
    if new is None:
        return WeightChange(old.name, shape, None, old.bytes, None, None, None, None, None)
    kept = tuple(map(int, new.array.shape))
    zeros, values = int((new.array == 0).sum()), len(np.unique(new.array))
    size = new.bytes + more
    if prod(kept) != prod(shape) or not new.scaled:
        return WeightChange(old.name, shape, kept, old.bytes, size, zeros, values, None, None)
    now = new.array if kept == shape else new.array.T
    spread = float(np.sqrt(np.mean(old.array.astype(np.float64) ** 2))) or 1.0
    moved = float(np.sqrt(np.mean((old.array.astype(np.float64) - now) ** 2))) / spread
    return WeightChange(old.name, shape, kept, old.bytes, size, zeros, values, moved, histogram(old.array, now))


def histogram(before: np.ndarray, after: np.ndarray) -> Histogram | None:
    """Count both in the same bins; None where a weight is not finite."""
    ends = [float(end(array)) for array in (before, after) for end in (np.min, np.max)]
    if not np.isfinite(ends).all():
        return None
    low, high = min(ends), max(ends)
    first, second = (tuple(map(int, np.histogram(array, BINS, (low, high))[0])) for array in (before, after))
    return Histogram(low, high, first, second)
