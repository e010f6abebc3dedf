"""Weights that a graph computes from packed constants: counted as what they become, by shapes alone, without running anything."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.domain.format import Risk
from core.formats.anatomy import onnx_dtypes as dtypes
from core.formats.anatomy.findings import info
from core.formats.anatomy.onnx_audit import subgraphs

if TYPE_CHECKING:
    import onnx

ELEMENTWISE = ("Add", "Sub", "Mul", "Div", "Mod")
SAME = ("CumSum", "ScatterElements")
SMALL = 16
"""Numbers that a shape has at most."""
LEAST = 64
"""Numbers that a weight has which is worth packing."""
MOST = 64
"""Tensors that one weight is made of at most."""
FLOATS = (1, 10, 11)
MADE = ({"Gather", "Mod"}, {"Gather", "Cast"}, {"ScatterElements", "CumSum"}, {"Cast", "Mul"})
"""Operators of which a packed weight has one set on its way: a codebook's, those between zeros, those of scaled integers."""


@dataclass(frozen=True)
class Value:
    """What is known of a constant: its type and shape, where it is small its numbers, and the operators and tensors behind it."""

    kind: int
    shape: tuple[int, ...]
    numbers: tuple[int, ...] | None = None
    operators: frozenset[str] = frozenset()
    tensors: frozenset[str] = frozenset()
    entries: int | None = None
    """Entries that were put between zeros, where they were."""


@dataclass(frozen=True)
class Compact:
    """A weight as it is computed: name, type, shape, how many of its numbers are zero at least, and the tensors that it is made of."""

    name: str
    kind: int
    shape: tuple[int, ...]
    zeros: int
    tensors: frozenset[str]

    @property
    def size(self) -> int:
        """Its numbers."""
        return math.prod(self.shape)


def weights(model: "onnx.ModelProto") -> list[Compact]:
    """Return the packed weights of the main graph; a graph that reads otherwise has none."""
    values = {tensor.name: _constant(tensor) for tensor in model.graph.initializer}
    for value in model.graph.input:
        values.pop(value.name, None)
    made: set[str] = set()
    readers: Counter[str] = Counter(value.name for value in model.graph.output)
    for node in model.graph.node:
        found = _computed(node, values)
        if found is None:
            readers.update(_reads(node))
        else:
            values[node.output[0]] = found
            made.add(node.output[0])
    ends = [(name, values[name]) for name in made if readers[name]]
    packed = [
        (name, one)
        for name, one in ends
        if one.kind in FLOATS and math.prod(one.shape) >= LEAST and any(way <= one.operators for way in MADE)
    ]
    return sorted(
        (
            Compact(
                name,
                one.kind,
                one.shape,
                math.prod(one.shape) - one.entries if one.entries is not None else 0,
                one.tensors,
            )
            for name, one in packed
        ),
        key=lambda one: one.name,
    )


def bits(model: "onnx.ModelProto", found: list[Compact]) -> float:
    """Return how many bits a packed weight takes in the file, codebooks and all."""
    names = frozenset().union(*(one.tensors for one in found))
    held = [tensor for tensor in model.graph.initializer if tensor.name in names]
    size = sum(dtypes.expected_bytes(tensor.data_type, dtypes.elements(tensor.dims)) or 0 for tensor in held)
    return 8 * size / max(1, sum(one.size for one in found))


def remarks(model: "onnx.ModelProto") -> Iterator[Risk]:
    """Say that weights are packed already, which a second packing does not make smaller."""
    if found := weights(model):
        which = f"{len(found)} of its weight tensors are" if len(found) > 1 else "One of its weight tensors is"
        yield info(f"The model is already compact: {which} stored in {bits(model, found):.1f} bits per weight.")


def _constant(tensor: "onnx.TensorProto") -> Value:
    shape = tuple(tensor.dims)
    numbers = _numbers(tensor) if dtypes.elements(tensor.dims) <= SMALL else None
    return Value(tensor.data_type, shape, numbers, frozenset(), frozenset((tensor.name,)))


def _numbers(tensor: "onnx.TensorProto") -> tuple[int, ...] | None:
    """Return the whole numbers of a small tensor that is a shape or a bound."""
    from onnx import numpy_helper

    if tensor.data_type != 7 or tensor.data_location == dtypes.EXTERNAL:
        return None
    return tuple(int(one) for one in numpy_helper.to_array(tensor).reshape(-1))


def _computed(node: "onnx.NodeProto", values: dict[str, Value]) -> Value | None:
    """Return what a node makes of constants alone, or None where it is no part of a packed weight."""
    given = [values.get(name) for name in node.input]
    known = [one for one in given if one is not None]
    if not known or len(known) != len(given) or node.domain not in ("", "ai.onnx") or len(node.output) != 1:
        return None
    made = _shaped(node, known)
    if made is None or any(dim < 0 for dim in made.shape) or math.prod(made.shape) > 2**31:
        return None
    operators = frozenset().union(*(one.operators for one in known)) | {node.op_type}
    tensors = frozenset().union(*(one.tensors for one in known))
    return Value(made.kind, made.shape, None, operators, tensors, made.entries) if len(tensors) <= MOST else None


def _shaped(node: "onnx.NodeProto", given: list[Value]) -> Value | None:
    first, kind = given[0], node.op_type
    if kind == "Cast":
        return Value(next((int(a.i) for a in node.attribute if a.name == "to"), 0), first.shape, entries=first.entries)
    if kind in ELEMENTWISE and len(given) == 2:
        shape = _broadcast(first.shape, given[1].shape)
        return None if shape is None else Value(first.kind, shape)
    if kind == "ConstantOfShape" and first.numbers is not None:
        filled = next((int(a.t.data_type) for a in node.attribute if a.name == "value"), 1)
        return Value(filled, first.numbers, entries=0)
    if kind == "Gather" and len(given) == 2 and len(first.shape) == 1:
        return Value(first.kind, given[1].shape)
    if kind == "ScatterElements" and len(given) == 3:
        entries = None if first.entries is None else min(math.prod(given[2].shape), math.prod(first.shape))
        return Value(first.kind, first.shape, entries=entries)
    if kind == "CumSum":
        return Value(first.kind, first.shape)
    if kind == "Reshape" and len(given) == 2 and given[1].numbers is not None:
        return _reshaped(first, given[1].numbers)
    if kind == "Slice" and len(given) == 3 and len(first.shape) == 1 and given[1].numbers == (0,) and given[2].numbers:
        return Value(first.kind, (min(first.shape[0], given[2].numbers[0]),))
    return None


def _reshaped(value: Value, wanted: tuple[int, ...]) -> Value | None:
    if any(dim == 0 or dim < -1 for dim in wanted) or wanted.count(-1) > 1:
        return None
    known = math.prod(dim for dim in wanted if dim > 0)
    shape = tuple(math.prod(value.shape) // known if dim == -1 else dim for dim in wanted)
    return Value(value.kind, shape, entries=value.entries) if math.prod(shape) == math.prod(value.shape) else None


def _broadcast(one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...] | None:
    rank = max(len(one), len(two))
    pairs = zip((1,) * (rank - len(one)) + one, (1,) * (rank - len(two)) + two, strict=True)
    found = [(a, b) for a, b in pairs]
    return tuple(max(a, b) for a, b in found) if all(a == b or 1 in (a, b) for a, b in found) else None


def _reads(node: "onnx.NodeProto") -> Iterator[str]:
    """Yield the names that a node reads, those of the graphs inside it included."""
    yield from node.input
    for inner in subgraphs(node):
        yield from (value.name for value in inner.output)
        for each in inner.node:
            yield from _reads(each)
