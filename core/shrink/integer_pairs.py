"""A graph with pairs of QuantizeLinear and DequantizeLinear around its convolutions and products, as ONNX Runtime turns them into integer kernels."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from core.onnx import unread, weights
from core.onnx.calibration import Spans
from core.onnx.integers import moved, symmetric, unsigned
from core.onnx.linear_layers import attribute
from core.onnx.names import FreshNames
from core.onnx.saturation import Pairing
from core.onnx.typing import FloatArray, IntArray, Matrix, ModelProto, NodeProto
from core.onnx.weights import Weight
from core.shrink.scaled_integers import Scaled, pack

SITES = {"Conv": "QDQ Conv", "Gemm": "QDQ Gemm", "MatMul": "QDQ MatMul"}
PASSING = ("MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity")
"""What hands values on unchanged: integers pass it in one scale."""
MERGED = ("Relu", "Clip")
"""What ONNX Runtime merges with the operator before it, so that integers go on after it."""
BIAS_LIMIT = 2.0**30
NOTHING: Mapping[str, Matrix] = MappingProxyType({})


@dataclass(frozen=True)
class Site:
    """An operator with a constant weight: where the weight's output channels lie, and the tensor that is quantized after it, if any."""

    node: NodeProto
    weight: Weight
    axis: int
    bias: Weight | None
    after: str | None


def sites(model: ModelProto) -> list[Site]:
    """Return the operators of the main graph that can run in integers; a convolution that gives an answer of the model stays float32."""
    graph = model.graph
    own = {tensor.name for tensor in graph.initializer} | {name for node in graph.node for name in node.output}
    held = {weight.name: weight for weight in weights.weights(model) if weight.name in own}
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    given = {value.name for value in graph.output}
    found = [_site(node, held, readers, given) for node in graph.node if node.op_type in SITES]
    return [site for site in found if site is not None]


def _site(
    node: NodeProto, held: dict[str, Weight], readers: dict[str, list[NodeProto]], given: set[str]
) -> Site | None:
    plain = all(attribute(node, name, usual) == usual for name, usual in (("transA", 0), ("alpha", 1.0), ("beta", 1.0)))
    weight = held.get(node.input[1])
    if weight is None or not plain or not _has_kernel(node, weight) or node.input[0] in held:
        return None
    axis = 0 if node.op_type == "Conv" or attribute(node, "transB", 0) else 1
    biased = len(node.input) > 2 and bool(node.input[2])
    bias = held.get(node.input[2]) if biased else None
    if biased and (bias is None or int(np.prod(bias.tensor.dims)) != weight.tensor.dims[axis]):
        return None
    after = _after(node, readers, given) if node.op_type == "Conv" else None
    return None if node.op_type == "Conv" and after is None else Site(node, weight, axis, bias, after)


def _has_kernel(node: NodeProto, weight: Weight) -> bool:
    from onnx import TensorProto

    rank = len(weight.tensor.dims)
    fits = rank >= 3 if node.op_type == "Conv" else rank == 2
    plain = node.domain in ("", "ai.onnx") and weight.tensor.data_type == TensorProto.FLOAT and fits
    return plain and weight.finite


def _after(node: NodeProto, readers: dict[str, list[NodeProto]], given: set[str]) -> str | None:
    """Return the tensor in which the integers of a convolution leave it; None where it is an answer of the model."""
    name = node.output[0]
    following = readers.get(name, [])
    if name not in given and len(following) == 1 and following[0].op_type in MERGED:
        name = following[0].output[0]
    return None if name in given else name


def join(spans: Spans, model: ModelProto) -> None:
    """Give tensors that hold the same values one range, the widest of theirs, so that integers pass from one to the next."""
    root: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type in PASSING and node.input:
            root[node.output[0]] = root.get(node.input[0], node.input[0])
    for name in spans:
        alike = [span for other, span in spans.items() if root.get(other, other) == root.get(name, name)]
        spans[name] = min(span[0] for span in alike), max(span[1] for span in alike)


def quantized(
    model: ModelProto,
    found: list[Site],
    spans: Spans,
    pairing: Pairing,
    per_channel: bool,
    narrow: Mapping[str, Scaled],
    means: Mapping[str, Matrix] = NOTHING,
) -> ModelProto:
    """Return a copy of the model with pairs around the sites; what a convolution reads or gives is quantized for all its readers.

    Weights in ``narrow`` bring their own integers, few enough to be packed in the file. Where the means of what a site
    reads are given, [channels], its bias takes back what rounding its weights does to the mean of its answers (Nagel
    2019, arXiv 1906.04721, section 4.2).
    """
    copy = weights.copied(model)
    pairs = _Pairs(copy, spans, pairing, per_channel, narrow, means)
    by_output = {site.node.output[0]: site for site in found}
    shared = {name for s in found if s.node.op_type == "Conv" for name in (s.node.input[0], s.after) if name}
    for node in copy.graph.node:
        site = by_output.get(node.output[0]) if node.output else None
        for slot, name in enumerate(node.input):
            if name in shared or (site is not None and slot == 0):
                node.input[slot] = pairs.around(name)
        if site is not None:
            node.input[1] = pairs.weight(site)
            if site.bias is not None:
                node.input[2] = pairs.bias(site)
    pairs.place()
    unread.drop_constants(copy)
    pack(copy, pairs.packable)
    return copy


class _Pairs:
    """The nodes and constants that quantize one model, each made once."""

    def __init__(
        self,
        model: ModelProto,
        spans: Spans,
        pairing: Pairing,
        per_channel: bool,
        narrow: Mapping[str, Scaled],
        means: Mapping[str, Matrix],
    ) -> None:
        self._means = means
        self._graph, self._fresh, self._spans = model.graph, FreshNames.of(model), spans
        self._pairing, self._per_channel, self._narrow = pairing, per_channel, narrow
        self.packable: set[str] = set()
        """Constants of floats that stand for integers of few bits."""
        self._nodes: dict[str, list[NodeProto]] = {"": []}
        """Nodes to put behind the one that makes a tensor; behind nothing, at the start."""
        self._around: dict[str, str] = {}
        self._constants: dict[tuple[str, bytes], str] = {}

    def around(self, name: str) -> str:
        """Return the tensor of that name after its way through integers."""
        from onnx import helper

        if name not in self._around:
            scale, zero = self._activation(name)
            constants = [self._constant(scale), self._constant(zero)]
            whole, back = self._fresh.short(), self._fresh.short()
            self._around[name] = back
            self._nodes[name] = [
                helper.make_node("QuantizeLinear", [name, *constants], [whole]),
                helper.make_node("DequantizeLinear", [whole, *constants], [back]),
            ]
        return self._around[name]

    def weight(self, site: Site) -> str:
        """Return the weight of a site, read from integers."""
        values, scales = self._integers(site)
        zeros = np.zeros(scales.shape, np.int8)
        if self._pairing.weights == "uint8":
            values, zeros = unsigned(values), unsigned(zeros)
        packed = self._narrowed(values) if site.weight.name in self._narrow else None
        return self._read(values, scales, zeros, site.axis, packed)

    def bias(self, site: Site) -> str:
        """Return the bias of a site, read from int32 in the scale of the products that it is added to."""
        if site.bias is None:
            raise ValueError("a site without a bias")
        scales = self._activation(site.node.input[0])[0] * self._integers(site)[1]
        array = site.bias.array.reshape(-1)
        if site.node.input[0] in self._means:
            values, own = self._integers(site)
            array = array - moved(site.weight.array, values, own, site.axis, self._means[site.node.input[0]])
        whole = np.rint(array / scales).astype(np.int32)
        return self._read(whole, scales, np.zeros(scales.shape, np.int32), 0)

    def place(self) -> None:
        """Put the new nodes behind those that make what they read."""
        made = {name for node in self._graph.node for name in node.output}
        first = [node for name, nodes in self._nodes.items() if name not in made for node in nodes]
        after = [[node, *(n for name in node.output for n in self._nodes.get(name, ()))] for node in self._graph.node]
        rest = [node for group in after for node in group]
        del self._graph.node[:]
        self._graph.node.extend([*first, *rest])

    def _activation(self, name: str) -> tuple[np.float32, np.uint8]:
        # The range takes in zero, so that zero is an integer: the zeros that padding adds must stay exact.
        low, high = min(self._spans[name][0], 0.0), max(self._spans[name][1], 0.0)
        # A tensor of zeros has no range; with any scale it is exact.
        scale = np.float32((high - low) / 255) or np.float32(1)
        return scale, np.uint8(np.clip(np.rint(-low / scale), 0, 255))

    def _integers(self, site: Site) -> tuple[IntArray, FloatArray]:
        """Return weights and scales; a scale grows where the bias would not fit into int32 otherwise."""
        if site.weight.name in self._narrow:
            return self._narrow[site.weight.name].codes.astype(np.int8), self._narrow[site.weight.name].scales
        axis = site.axis if self._per_channel else None
        least: FloatArray | float = 0.0
        if site.bias is not None:
            bias = np.abs(site.bias.array.reshape(-1))
            largest = bias if axis is not None else bias.max()
            # The bias is stored as int32 in the scale of the products: half of int32's range is left for the sums.
            least = largest / (self._activation(site.node.input[0])[0] * BIAS_LIMIT)
        return symmetric(site.weight.array, axis, self._pairing.top, least)

    def _narrowed(self, values: IntArray) -> str:
        """Return integers by way of floats, which can be packed."""
        from onnx import helper

        floats, name = self._constant(values.astype(np.float32)), self._fresh.short()
        self.packable.add(floats)
        self._nodes[""].append(
            helper.make_node("Cast", [floats], [name], to=helper.np_dtype_to_tensor_dtype(values.dtype))
        )
        return name

    def _read(self, values: IntArray, scales: FloatArray, zeros: IntArray, axis: int, made: str | None = None) -> str:
        from onnx import helper

        name = self._fresh.short()
        inputs = [made or self._constant(values), self._constant(scales), self._constant(zeros)]
        self._nodes[""].append(helper.make_node("DequantizeLinear", inputs, [name], axis=axis if scales.ndim else None))
        return name

    def _constant(self, array: np.ndarray | np.generic) -> str:
        from onnx import numpy_helper

        array = np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array)
        key = (f"{array.dtype}{array.shape}", array.tobytes())
        if key not in self._constants:
            self._constants[key] = self._fresh.short()
            self._graph.initializer.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]
