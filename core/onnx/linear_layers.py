"""The layers of an ONNX model that multiply by a constant matrix, and what samples say about their inputs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from core.domain.errors import Refused
from core.onnx import calibration, parts, second_order, weights
from core.onnx.typing import FloatArray, GraphProto, IntArray, Matrix, ModelProto, NodeProto, Samples
from core.onnx.weights import Arrays, Weight

T = TypeVar("T")
Solve = Callable[[Matrix, Matrix, int], Matrix]
"""From a matrix [outputs, inputs], the moments of its inputs and the number of bias columns to another matrix."""

ROWS = 16384
"""Rows of a layer's input that are counted at least; a layer of k inputs counts 4 k at most."""


@dataclass(frozen=True)
class LinearLayer:
    """A Conv without groups, a Gemm or a MatMul of the main graph whose matrix is a constant."""

    weight: Weight
    node: NodeProto
    bias: Weight | None
    """The constant that is added to each output, where nothing else reads it."""

    @property
    def matrix(self) -> Matrix:
        """The weights as float64 [outputs, inputs]."""
        array = self.weight.array.astype(np.float64)
        return array.reshape(len(array), -1) if self.outputs_first else array.T

    def array(self, matrix: Matrix) -> FloatArray:
        """Return a matrix [outputs, inputs] in the shape and dtype of the weights."""
        shaped = matrix if self.outputs_first else matrix.T
        return np.ascontiguousarray(shaped).reshape(tuple(self.weight.tensor.dims)).astype(self.weight.array.dtype)

    def solved(self, moments: "Moments", solve: Solve) -> Arrays:
        """Return new arrays for the weights, and for the bias where there is one.

        ``solve`` starts from the matrix that answers as the original model did, on inputs as they are now.
        """
        tail = int(self.bias is not None)
        here = slice(None) if tail else slice(-1)
        inputs, crossed = moments.inputs[here, here], moments.crossed[here, here]
        return self.parted(solve(second_order.refit(self.whole(), inputs, crossed), inputs, tail))

    def parted(self, matrix: Matrix) -> Arrays:
        """Return arrays for the weights, and for the bias from the last column where there is one."""
        if self.bias is None:
            return [(self.weight, self.array(matrix))]
        return [(self.weight, self.array(matrix[:, :-1])), (self.bias, matrix[:, -1].astype(self.bias.array.dtype))]

    def whole(self) -> Matrix:
        """Return the matrix with the bias as its last column, where there is one."""
        if self.bias is None:
            return self.matrix
        return np.concatenate([self.matrix, self.bias.array.astype(np.float64)[:, None]], axis=1)

    @property
    def outputs_first(self) -> bool:
        """Say whether the weights' first dimension is that of the outputs."""
        return self.node.op_type == "Conv" or bool(attribute(self.node, "transB", 0))

    @property
    def input_axis(self) -> int:
        """The weights' dimension over which the layer sums, besides those of a kernel."""
        return 1 if self.outputs_first else 0

    def rows(self, inputs: FloatArray, samples: int) -> Matrix:
        """Return what the matrix is multiplied by, as float64 [rows, inputs + 1] with 1 in the last place.

        Of a chunk of so many ``samples`` the rows are drawn before they are laid out, for those of a Conv take its
        kernel's size times the memory of the inputs.
        """
        shape = tuple(self.weight.tensor.dims)
        seen = _windows(inputs, self.node, shape) if self.node.op_type == "Conv" else inputs
        places = seen.shape[: inputs.ndim - 1]
        width = int(np.prod(seen.shape[len(places) :]))
        drawn = _drawn(int(np.prod(places)), width + 1, samples)
        flat = seen.reshape(-1, width) if drawn is None else seen[np.unravel_index(drawn, places)].reshape(-1, width)
        return np.concatenate([flat, np.ones((len(flat), 1), flat.dtype)], axis=1, dtype=np.float64)


@dataclass(frozen=True)
class Moments:
    """Mean outer products [inputs + 1, inputs + 1] of a layer's inputs, with the constant 1 in the last place."""

    inputs: Matrix
    """Of what the layer sees now with itself."""

    crossed: Matrix
    """Of what it saw in the original model with what it sees now."""


def layers(model: ModelProto, least: int) -> list[LinearLayer]:
    """Return the layers with at least ``least`` weights, in the order in which they run; one that two nodes read or that is not finite is left out."""
    found = {weight.name: weight for weight in weights.weights(model) if weight.graph is model.graph}
    wanted = [weight for weight in found.values() if int(np.prod(weight.tensor.dims)) >= least and weight.finite]
    unordered = [layer for weight in wanted if (layer := _layer(weight, found))]
    places = {name: place for place, node in enumerate(model.graph.node) for name in node.output}
    return sorted(unordered, key=lambda layer: places[layer.node.output[0]])


def moments(original: ModelProto, model: ModelProto, layer: LinearLayer, samples: Samples) -> Moments:
    """Run both models on the samples and return what the layer's inputs say. Raises Refused when the samples do not run."""
    total, name = len(next(iter(samples.values()))), layer.node.input[0]
    before, after, n = np.zeros(()), np.zeros(()), 0
    now = recorded(model, [name], samples)
    both = (
        ((one, one) for one in now) if original is model else zip(recorded(original, [name], samples), now, strict=True)
    )
    for old, new in both:
        known, rows = (layer.rows(values, total) for (values,) in (old, new))
        after, before, n = after + rows.T @ rows, before + known.T @ rows, n + len(rows)
    if not (np.isfinite(after).all() and np.isfinite(before).all()):
        raise Refused(
            f"On the samples, what {layer.weight.name!r} is multiplied by is infinite or not a number.",
            "Look for broken weights before it, or add other samples.",
        )
    return Moments(after / n, before / n)


def _layer(weight: Weight, found: dict[str, Weight]) -> LinearLayer | None:
    if len(weight.readers) != 1 or weight.readers[0][1] != 1:
        return None
    node = weight.readers[0][0]
    plain = {
        "Conv": attribute(node, "group", 1) == 1,
        "Gemm": not attribute(node, "transA", 0) and attribute(node, "alpha", 1.0) == 1.0,
        "MatMul": len(weight.tensor.dims) == 2,
    }
    if not plain.get(node.op_type, False) or node.domain not in ("", "ai.onnx"):
        return None
    return LinearLayer(weight, node, _bias(node, found, weight))


def _bias(node: NodeProto, found: dict[str, Weight], weight: Weight) -> Weight | None:
    """Return the constant that is added to each output, by the node itself or by an Add that alone reads a MatMul."""
    names = list(node.input[2:3]) if node.op_type != "MatMul" else _added(node, weight.graph)
    bias = found.get(names[0]) if names and attribute(node, "beta", 1.0) == 1.0 else None
    outputs = weight.tensor.dims[0 if node.op_type == "Conv" or attribute(node, "transB", 0) else -1]
    return bias if bias and len(bias.readers) == 1 and list(bias.tensor.dims) == [outputs] else None


def _added(node: NodeProto, graph: GraphProto) -> list[str]:
    readers = [other for other in graph.node if node.output[0] in other.input]
    if len(readers) != 1 or readers[0].op_type != "Add" or node.output[0] in {value.name for value in graph.output}:
        return []
    return [name for name in readers[0].input if name != node.output[0]]


def recorded(model: ModelProto, names: list[str], samples: Samples) -> Iterator[list[np.ndarray]]:
    """Yield the values of some names for one chunk of samples after the other. Raises Refused when the samples do not run."""
    session = calibration.session(parts.leading_to(model, names).SerializeToString(), "all")
    for piece in calibration.pieces(session, samples):
        asked = [name for name in names if name not in piece]
        seen = dict(zip(asked, calibration.run(session, piece, asked), strict=True)) if asked else {}
        given = calibration.laid_out(session, piece)
        yield [{**given, **seen}[name] for name in names]


def _drawn(rows: int, width: int, samples: int) -> IntArray | None:
    """Return which rows are drawn at random, as many as this chunk's share of all that count, or None where all do.

    Rows at even distances would show a text always at the same positions.
    """
    most = max(ROWS, 4 * width) * calibration.CHUNK // max(samples, calibration.CHUNK)
    return np.random.default_rng(rows).permutation(rows)[:most] if rows > most else None


def _windows(inputs: FloatArray, node: NodeProto, shape: tuple[int, ...]) -> FloatArray:
    """Return a view of what each place of a convolution sees: [n, *places, channels, *kernel]."""
    kernel, axes = shape[2:], tuple(range(2, len(shape)))
    strides = attribute(node, "strides", [1] * len(kernel))
    dilations = attribute(node, "dilations", [1] * len(kernel))
    reach = [(size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True)]
    padded = np.pad(inputs, [(0, 0), (0, 0), *_pads(node, inputs.shape[2:], reach, strides)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=axes)
    places = tuple(slice(None, None, step) for step in strides)
    inside = tuple(slice(None, None, step) for step in dilations)
    seen = windows[(slice(None), slice(None), *places, *inside)]
    return np.moveaxis(seen, 1, len(kernel) + 1)


def _pads(node: NodeProto, sizes: tuple[int, ...], reach: list[int], strides: list[int]) -> list[tuple[int, int]]:
    kind = attribute(node, "auto_pad", b"NOTSET").decode()
    if kind in ("NOTSET", "VALID"):
        pads = attribute(node, "pads", [0] * 2 * len(reach)) if kind == "NOTSET" else [0] * 2 * len(reach)
        return list(zip(pads[: len(reach)], pads[len(reach) :], strict=True))
    missing = [
        max(0, (-(-size // step) - 1) * step + far - size)
        for size, far, step in zip(sizes, reach, strides, strict=True)
    ]
    less = [(each // 2, each - each // 2) for each in missing]
    return less if kind == "SAME_UPPER" else [(after, before) for before, after in less]


def attribute(node: NodeProto, name: str, otherwise: T) -> T:
    """Return the value of a node's attribute, or another where it has none, which is of the attribute's own type."""
    from onnx import helper

    found: T = next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), otherwise)
    return found
