"""Cuts channels out of an ONNX model: every constant that holds them, and every number in the graph that counts them."""

import numpy as np

from core.onnx import unread, weights
from core.onnx.names import FreshNames
from core.onnx.typing import Mask, ModelProto, NodeProto
from core.onnx.weights import Weight
from core.shrink.channels.couplings import Axis, Value, size
from core.shrink.channels.groups import Channels


def cut(model: ModelProto, found: Channels, units: list[int]) -> None:
    """Remove units in place; what is known of shapes between the operators goes with them."""
    gone = np.isin(found.lowest, units)
    for weight in weights.weights(model):
        if weight.graph is model.graph and weight.name in found.trace.constants:
            _shrink(weight, found.trace.constants[weight.name], gone)
    nodes = {node.output[0]: node for node in model.graph.node if node.output}
    for output, axis in found.trace.grouped:
        _regroup(nodes[output], _left(axis, gone))
    for output, place, axes in found.trace.resized:
        _rename(model, found, nodes[output], place, [(size(axis), _left(axis, gone)) for axis in axes])
    unread.drop_constants(model)
    del model.graph.value_info[:]


def _shrink(weight: Weight, axes: Value, gone: Mask) -> None:
    array = weight.array
    for axis, (ids,) in enumerate(axes):
        array = np.compress(~gone[ids], array, axis=axis)
    if array.size == weight.array.size:
        return
    weight.put(array)
    for value in [value for value in weight.graph.input if value.name == weight.name]:
        for dim, n in zip(value.type.tensor_type.shape.dim, array.shape, strict=True):
            dim.dim_value = n


def _left(axis: Axis, gone: Mask) -> int:
    """Return the size of an axis without the places that are gone."""
    return size(tuple(factor[~gone[factor]] for factor in axis))


def _regroup(node: NodeProto, channels: int) -> None:
    for attribute in node.attribute:
        if attribute.name == "group":
            attribute.i = channels


def _rename(model: ModelProto, found: Channels, node: NodeProto, place: int, sizes: list[tuple[int, int]]) -> None:
    """Give a node a shape of its own where one of the sizes in it changed; -1, 0 and 1 say what they said."""
    said = found.trace.integers[node.input[place]]
    told = [now if entry == before else entry for entry, (before, now) in zip(said.tolist(), sizes, strict=True)]
    if told == said.tolist():
        return
    name = FreshNames.of(model).like(node.output[0], "shape")
    model.graph.initializer.append(weights.tensor(np.array(told, said.dtype), name))
    node.input[place] = name
