"""Scales the channels between two layers so that both give them like ranges, which leaves the model's answers as they are.

Cross-layer equalization (Nagel 2019, arXiv 1906.04721, section 4.1): a channel that one layer gives and the next reads
is divided by a number in the first and multiplied by it in the second. Between them only operators may stand that hand
a positive factor on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.onnx.linear_layers import attribute
from core.onnx.typing import FloatArray, ModelProto, NodeProto
from core.onnx.weights import Weight
from core.shrink.integer_pairs import Site

HANDING_ON = ("Relu", "LeakyRelu", "PRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Identity", "Dropout")
ROUNDS = 20
ENOUGH = 1e-3
"""Of the logarithm of the largest factor, below which another round is not worth it."""
SMALLEST = 1e-8


@dataclass(frozen=True)
class Pair:
    """Two layers of which the second alone reads what the first gives, channel by channel."""

    first: Site
    second: Site


def pairs(model: ModelProto, sites: list[Site]) -> list[Pair]:
    """Return the layers of the main graph that can be equalized, in the order in which they run."""
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    given = {value.name for value in model.graph.output}
    by_output = {site.node.output[0]: site for site in sites if _alone(site, readers)}
    found = []
    for site in by_output.values():
        last = _next(site.node, readers, given)
        other = by_output.get(last.output[0]) if last is not None else None
        if other is not None and _inputs(other).shape[0] == site.weight.tensor.dims[site.axis]:
            found.append(Pair(site, other))
    return found


def equalized(found: list[Pair]) -> dict[str, FloatArray]:
    """Return new arrays, by name, of the weights and biases of all pairs; empty where nothing changes."""
    arrays: dict[str, FloatArray] = {}
    for _ in range(ROUNDS):
        if max((_equalize(pair, arrays) for pair in found), default=0.0) < ENOUGH:
            break
    return arrays


def _equalize(pair: Pair, arrays: dict[str, FloatArray]) -> float:
    """Change the arrays of a pair by the factors that make both ranges their geometric mean, and say how far off they were."""
    first, second = (_array(site.weight, arrays) for site in (pair.first, pair.second))
    given = _ranges(first, pair.first.axis)
    read = _ranges(_split(pair.second, second), 0)
    # A channel of zeros has no range to balance: its factor would be zero or infinite.
    both = (given > SMALLEST) & (read > SMALLEST)
    # Dividing by sqrt(given / read) on one side, and multiplying on the other, leaves both with sqrt(given * read).
    factors = np.where(both, np.sqrt(given / np.where(both, read, 1)), 1.0)
    arrays[pair.first.weight.name] = first / _along(factors, first.ndim, pair.first.axis)
    if pair.first.bias is not None:
        bias = _array(pair.first.bias, arrays)
        arrays[pair.first.bias.name] = (bias.reshape(-1) / factors).reshape(bias.shape)
    arrays[pair.second.weight.name] = _scaled(pair.second, second, factors)
    return float(np.abs(np.log(factors)).max())


def _array(weight: Weight, arrays: Mapping[str, FloatArray]) -> FloatArray:
    return arrays[weight.name] if weight.name in arrays else weight.array.astype(np.float64)


def _ranges(array: FloatArray, axis: int) -> FloatArray:
    return np.asarray(np.abs(array).max(axis=tuple(place for place in range(array.ndim) if place != axis)))


def _along(factors: FloatArray, rank: int, axis: int) -> FloatArray:
    return np.expand_dims(factors, tuple(place for place in range(rank) if place != axis))


def _inputs(site: Site) -> FloatArray:
    return _split(site, site.weight.array)


def _split(site: Site, array: FloatArray) -> FloatArray:
    """Return the weights of a layer with its input channels first, those of all groups one behind the other."""
    if site.node.op_type != "Conv":
        return np.moveaxis(array, 1 - site.axis, 0)
    parts = np.split(array, attribute(site.node, "group", 1))
    return np.concatenate([np.moveaxis(part, 1, 0) for part in parts])


def _scaled(site: Site, array: FloatArray, factors: FloatArray) -> FloatArray:
    """Return the weights times a factor for each input channel."""
    if site.node.op_type != "Conv":
        return array * _along(factors, array.ndim, 1 - site.axis)
    groups = attribute(site.node, "group", 1)
    parts = zip(np.split(array, groups), np.split(factors, groups), strict=True)
    return np.concatenate([part * _along(own, part.ndim, 1) for part, own in parts])


def _alone(site: Site, readers: Mapping[str, list[NodeProto]]) -> bool:
    """Say whether nothing else reads the weight and the bias of a layer, and an array of channels comes out where it is looked for."""
    read = [len(readers.get(one.name, ())) for one in (site.weight, site.bias) if one is not None]
    return all(count == 1 for count in read) and site.node.op_type in ("Conv", "Gemm")


def _next(node: NodeProto, readers: Mapping[str, list[NodeProto]], given: set[str]) -> NodeProto | None:
    """Return the node that alone reads what comes of a layer, behind what hands factors on; None where there is another reader."""
    name = node.output[0]
    # A second reader, or an answer of the model, would see the scaled channels.
    while name not in given and len(readers.get(name, ())) == 1:
        following = readers[name][0]
        if following.op_type not in HANDING_ON:
            return following if following.input[0] == name else None
        if following.input[0] != name:
            return None
        name = following.output[0]
    return None
