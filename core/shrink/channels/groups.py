"""The channels, neurons and heads of an ONNX model that can be cut, each with every place of every constant that goes with it.

The graph is walked once with the shapes that a few samples have; an operator without a rule fixes all that it reads, so
what is not understood is never cut.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from core.domain.errors import Refused
from core.onnx import linear_layers, weights
from core.onnx.typing import IntArray, ModelProto, Samples
from core.shrink.channels.couplings import FIXED
from core.shrink.channels.rules import follow
from core.shrink.channels.trace import Place, Trace

ROUNDS = 4
"""Walks at most, each with more reshapes that keep their inner part."""


@dataclass(frozen=True)
class Group:
    """Units of one kind, of which any may be cut: the channels of a layer and of all that shares its channels."""

    units: tuple[int, ...]
    places: dict[Place, IntArray]
    """For each constant and axis the indices of each unit, [units, k]."""

    readers: tuple[str, ...]
    """Names of the weights that sum over the units, in the order in which they run."""


@dataclass(frozen=True)
class Channels:
    """What can be cut of a model, and how."""

    groups: tuple[Group, ...]
    trace: Trace
    lowest: IntArray

    def blocking(self) -> list[str]:
        """Return the operators without a rule that kept something from being cut."""
        return sorted(kind for kind, ids in self.trace.unknown.items() if ids)


def channels(model: ModelProto, samples: Samples, keep: frozenset[str] = frozenset()) -> Channels:
    """Return what can be cut. Raises Refused when the samples do not run."""
    batch, inner = _batch(model), frozenset[str]()
    shapes = _shapes(model, samples, batch)
    for _ in range(ROUNDS):
        trace = _walked(model, shapes, batch, inner, keep)
        lowest = trace.couplings.solved()
        stuck = {name for name, ids in trace.splits if all((lowest[one] == FIXED).all() for one in ids)}
        if stuck <= inner:
            break
        inner |= stuck
    return Channels(tuple(_groups(model, trace, lowest)), trace, lowest)


def _walked(
    model: ModelProto, shapes: dict[str, tuple[int, ...]], batch: int, inner: frozenset[str], keep: frozenset[str]
) -> Trace:
    trace = Trace(shapes, batch, _integers(model), inner)
    for weight in weights.weights(model):
        if weight.graph is model.graph:
            trace.values[weight.name] = trace.couplings.fresh(tuple(weight.tensor.dims))
            trace.constants[weight.name] = trace.values[weight.name]
    for node in model.graph.node:
        follow(trace, node)
    for name in [*keep, *(value.name for value in model.graph.output)]:
        trace.couplings.fix(*trace.axes(name), *(one for one in trace.sizes.get(name, []) if isinstance(one, tuple)))
    return trace


def _groups(model: ModelProto, trace: Trace, lowest: IntArray) -> Iterable[Group]:
    order = [layer.weight.name for layer in linear_layers.layers(model, 1)]
    reading = {place for place in trace.read if place[0] in order}
    strange = set(trace.read) - reading
    for places, units in _alike(trace, lowest).items():
        table = {place: np.stack([one[place] for one in units.values()]) for place in places}
        readers = tuple(sorted({name for name, _ in reading & set(table)}, key=order.index))
        if readers and not strange & set(table) and len(units) > 1:
            yield Group(tuple(units), table, readers)


def _alike(trace: Trace, lowest: IntArray) -> dict[tuple[Place, ...], dict[int, dict[Place, IntArray]]]:
    """Sort units by the constants, axes and numbers of places that go with them."""
    found: dict[int, dict[Place, IntArray]] = {}
    for name, axes in trace.constants.items():
        for axis, (ids,) in enumerate(axes):
            roots = lowest[ids]
            for root in np.unique(roots[roots != FIXED]).tolist():
                found.setdefault(root, {})[name, axis] = np.flatnonzero(roots == root)
    alike: dict[tuple[tuple[Place, int], ...], dict[int, dict[Place, IntArray]]] = {}
    for root, places in sorted(found.items()):
        key = tuple((place, len(indices)) for place, indices in sorted(places.items()))
        alike.setdefault(key, {})[root] = places
    return {tuple(place for place, _ in key): units for key, units in alike.items()}


def _integers(model: ModelProto) -> dict[str, IntArray]:
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            tensors[node.output[0]] = node.attribute[0].t
    arrays = {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items() if tensor.data_type in (6, 7)}
    given = {value.name for value in model.graph.input} if model.ir_version >= 4 else set()
    return {name: array for name, array in arrays.items() if name not in given}


def _batch(model: ModelProto) -> int:
    """Return the number of samples that the model insists on, or 2."""
    held = {tensor.name for tensor in model.graph.initializer}
    first = next(value for value in model.graph.input if value.name not in held)
    dims = first.type.tensor_type.shape.dim
    return int(dims[0].dim_value) if dims and dims[0].dim_value else 2


def _shapes(model: ModelProto, samples: Samples, batch: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every value for two samples, or for the model's own batch."""
    known = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    names = [value.name for value in model.graph.input if value.name not in known]
    names += [name for node in model.graph.node for name in node.output if name]
    few = {name: array[:batch] for name, array in samples.items()}
    for values in linear_layers.recorded(model, names, few):
        seen = {name: value.shape for name, value in zip(names, values, strict=True) if hasattr(value, "shape")}
        return {**known, **seen}
    raise Refused(f"The model wants {batch} samples at a time, but there are fewer.", "Add more samples.")
