"""Finds what an ONNX file multiplies in integers, from its structure and the values of its weights; nothing is run."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.integer_products import Product
from core.formats.anatomy import onnx_dtypes as dtypes
from core.formats.anatomy.onnx_audit import subgraphs
from core.formats.anatomy.onnx_wire import Payload, Skeleton

if TYPE_CHECKING:
    import onnx

KERNELS = {
    "MatMulInteger": ("MatMulInteger", 0, (1,)),
    "MatMulIntegerToFloat": ("MatMulInteger", 0, (1,)),
    "DynamicQuantizeMatMul": ("MatMulInteger", None, (1,)),
    "DynamicQuantizeLSTM": ("MatMulInteger", None, (1, 2)),
    "QAttention": ("MatMulInteger", 0, (1,)),
    "ConvInteger": ("QLinearConv", 0, (1,)),
    "QLinearMatMul": ("QLinearMatMul", 0, (3,)),
    "QGemm": ("QLinearMatMul", 0, (3,)),
    "QLinearConv": ("QLinearConv", 0, (3,)),
}
"""By operator: the kernel that it stands for, and the places of its activations (None: uint8, made inside) and weights."""
PAIRED = ("Conv", "Gemm", "MatMul")
ANSWERS = {"QuantizeLinear": 2, "QLinearConv": 7, "QLinearMatMul": 7, "QGemm": 8, "QLinearAdd": 7, "QLinearConcat": 1}
"""By operator: the place of the zero point that has the type of what comes out."""
PASSING = {
    *("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "MaxPool", "Slice", "Expand", "Gather"),
    *("Clip", "Relu", "Concat", "Split", "Tile", "Pad", "Cast"),
}
"""What hands numbers on without making them larger."""
FAR = 64
MOST = 1 << 28
"""Weights whose values are looked at in one file, at most."""


@dataclass
class Scope:
    """What the nodes of a graph can see: constants, with the place of their data in the file if it is left there, and who makes the rest."""

    path: Path
    constants: dict[str, tuple["onnx.TensorProto", Payload | None]] = field(default_factory=dict)
    makers: dict[str, "onnx.NodeProto"] = field(default_factory=dict)
    inputs: dict[str, int] = field(default_factory=dict)

    def inside(self, graph: "onnx.GraphProto", payloads: dict[int, Payload]) -> "Scope":
        """Return the scope of a graph within this one."""
        own = {tensor.name: (tensor, payloads.get(place)) for place, tensor in enumerate(graph.initializer)}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
                own[node.output[0]] = (node.attribute[0].t, None)
        makers = {name: node for node in graph.node for name in node.output if name not in own}
        inputs = {value.name: value.type.tensor_type.elem_type for value in graph.input}
        return Scope(self.path, self.constants | own, self.makers | makers, self.inputs | inputs)

    def kind(self, name: str) -> str:
        """Return the element type of a value; empty where it cannot be told."""
        for _ in range(FAR):
            if name in self.constants:
                return dtypes.name(self.constants[name][0].data_type)
            node = self.makers.get(name)
            if node is None:
                return dtypes.name(self.inputs[name]) if name in self.inputs else ""
            if node.op_type in ANSWERS:
                place = ANSWERS[node.op_type]
                if len(node.input) <= place or not node.input[place]:
                    return "uint8"
                name = node.input[place]
            elif node.op_type == "DynamicQuantizeLinear":
                return "uint8"
            elif node.op_type == "Cast":
                return dtypes.name(next((a.i for a in node.attribute if a.name == "to"), 0))
            elif node.op_type in PASSING and node.input:
                name = node.input[0]
            else:
                return ""
        return ""

    def top(self, name: str) -> int | None:
        """Return the largest magnitude that the numbers of a constant, or of what only moves constants about, can have."""
        found, waiting = 0, [name]
        for _ in range(FAR):
            if not waiting:
                return found
            name = waiting.pop()
            if name in self.constants:
                largest = _largest(self.path, *self.constants[name])
                if largest is None:
                    return None
                found = max(found, largest)
                continue
            node = self.makers.get(name)
            if node is None or node.op_type not in (*PASSING, "ScatterElements", "ConstantOfShape"):
                return None
            waiting += [] if node.op_type == "ConstantOfShape" and not node.attribute else [node.input[0]]
            waiting += [node.input[2]] if node.op_type == "ScatterElements" else []
            waiting += list(node.input[1:]) if node.op_type == "Concat" else []
        return None


def products(skeleton: Skeleton, path: Path) -> Iterator[Product]:
    """Yield the integer products of a model that passed its audit; ``path`` is the file that holds the weights in place."""
    scope = Scope(path).inside(skeleton.model.graph, skeleton.payloads)
    yield from _products(skeleton.model.graph, scope)


def _products(graph: "onnx.GraphProto", scope: Scope) -> Iterator[Product]:
    for node in graph.node:
        for inner in subgraphs(node):
            yield from _products(inner, scope.inside(inner, {}))
        if node.op_type in KERNELS:
            yield from _kernel(node, scope)
        elif node.op_type in PAIRED and len(node.input) > 1:
            yield from _pair(node, scope)


def _kernel(node: "onnx.NodeProto", scope: Scope) -> Iterator[Product]:
    name, place, places = KERNELS[node.op_type]
    if max(places) < len(node.input):
        activations = "uint8" if place is None else scope.kind(node.input[place])
        yield from (_product(name, node, activations, node.input[weights], scope) for weights in places)


def _pair(node: "onnx.NodeProto", scope: Scope) -> Iterator[Product]:
    """Yield the product of two tensors that come from integers, which ONNX Runtime does in integers."""
    read = [_behind(scope, name) for name in node.input[:2]]
    if read[0] and read[1]:
        yield _product(f"QDQ {node.op_type}", node, scope.kind(read[0]), read[1], scope)


def _behind(scope: Scope, name: str) -> str:
    """Return the integers behind a DequantizeLinear, or nothing."""
    node = scope.makers.get(name)
    if node is not None and node.op_type == "Transpose":
        node = scope.makers.get(node.input[0])
    return str(node.input[0]) if node is not None and node.op_type == "DequantizeLinear" else ""


def _product(operator: str, node: "onnx.NodeProto", activations: str, weights: str, scope: Scope) -> Product:
    kind = scope.kind(weights)
    top = scope.top(weights) if kind == "int8" else None
    place = (node.name or node.output[0])[:60]
    known = [one if one in ("int8", "uint8") else "" for one in (activations, kind)]
    return Product(operator, known[0], known[1], top, place)


def _largest(path: Path, tensor: "onnx.TensorProto", payload: Payload | None) -> int | None:
    """Return the largest magnitude in a tensor, rounded up; None where its numbers are elsewhere, or too many."""
    import numpy as np
    from onnx import numpy_helper

    kind = {"int8": "i1", "float32": "<f4", "float16": "<f2"}.get(dtypes.name(tensor.data_type))
    if kind is None or tensor.data_location == dtypes.EXTERNAL or dtypes.elements(tensor.dims) > MOST:
        return None
    if payload is None:
        array = numpy_helper.to_array(tensor)
    else:
        array = np.fromfile(path, kind, payload.length // np.dtype(kind).itemsize, offset=payload.start)
    if not array.size:
        return 0
    ends = float(array.min()), float(array.max())
    return None if not np.isfinite(ends).all() else int(np.ceil(max(-ends[0], ends[1])))
