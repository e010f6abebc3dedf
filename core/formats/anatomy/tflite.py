"""The tables of a LiteRT model: operators, tensors, buffers and signatures, read within bounds and checked against one another.

Field numbers and names: ``schema.fbs`` of LiteRT, version 3.
"""

import mmap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.domain.artifact import Dim, TensorSpec
from core.domain.errors import Refused
from core.formats.anatomy.elements import bits
from core.formats.anatomy.flatbuffer import Source, Table

CUSTOM = 32
DTYPES: dict[int, str] = {
    0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 5: "str", 6: "bool", 7: "int16", 8: "complex64",
    9: "int8", 10: "float64", 11: "complex128", 12: "uint64", 13: "resource", 14: "variant", 15: "uint32",
    16: "uint16", 17: "int4", 18: "bfloat16", 19: "int2", 20: "uint4", 21: "float8e4m3fn", 22: "float8e5m2",
}  # fmt: skip
"""TensorType to NumPy name."""
FIXED = 0
MAX_ELEMENTS = 2**31
NO_TENSOR = -1
AGAIN = "Convert the model again from its source."


@dataclass(frozen=True)
class TfliteTensor:
    """One tensor: name, dtype, shape, the number and the bytes of its buffer, and what is special about it."""

    spec: TensorSpec
    buffer: int
    start: int
    length: int
    variable: bool
    sparse: bool
    quantized: bool
    scales: int
    zero: int = 0
    """The integer that stands for zero."""


@dataclass(frozen=True)
class Operator:
    """One operator: its name, and the tensors that it takes and gives by number."""

    type: str
    takes: tuple[int, ...]
    gives: tuple[int, ...]


@dataclass(frozen=True)
class TfliteGraph:
    """One subgraph: tensors, operators, and which tensors are its inputs and outputs."""

    tensors: list[TfliteTensor]
    operators: list[Operator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class TfliteModel:
    """What a file holds: the graphs, the first of which runs, custom operators by name, and who wrote it."""

    version: int
    graphs: list[TfliteGraph]
    custom: tuple[str, ...]
    description: str
    metadata: tuple[str, ...]
    signatures: tuple[str, ...]


def read(path: Path) -> TfliteModel:
    """Read and check a model; its weights stay on the disk. Raises Refused for what does not fit together."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        try:
            return _model(view)
        finally:
            view.release()


def _model(data: memoryview) -> TfliteModel:
    root = Source(data).root()
    if root.number(0, "I") != 3:
        raise Refused("This is not a LiteRT model of version 3.", AGAIN)
    if root.count(8) or root.count(9):
        raise Refused("The model keeps weights in other files, which were not added.", AGAIN)
    codes = [_code(table) for table in root.tables(1)]
    buffers = [_buffer(table, len(data)) for table in root.tables(4)]
    graphs = [_graph(table, codes, buffers) for table in root.tables(2)]
    if not graphs or not graphs[0].operators:
        raise Refused("The LiteRT graph is empty.", AGAIN)
    return TfliteModel(
        version=3,
        graphs=graphs,
        custom=tuple(dict.fromkeys(name.removeprefix("custom ") for name in codes if name.startswith("custom "))),
        description=root.text(3)[:120],
        metadata=tuple(table.text(0)[:60] for table in root.tables(6))[:20],
        signatures=tuple(table.text(2)[:60] for table in root.tables(7))[:20],
    )


def used(model: TfliteModel) -> Counter[str]:
    """Count the operators of all graphs by name."""
    return Counter(operator.type for graph in model.graphs for operator in graph.operators)


def weights(model: TfliteModel) -> Iterator[TfliteTensor]:
    """Yield the tensors that have bytes in the file, each buffer once."""
    seen: set[int] = set()
    for graph in model.graphs:
        for tensor in graph.tensors:
            if tensor.length and tensor.buffer not in seen:
                seen.add(tensor.buffer)
                yield tensor


def signature(graph: TfliteGraph) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return inputs and outputs; a name that is missing or stands twice becomes ``input_0``, ``output_0`` and so on."""
    return _named(graph, graph.inputs, "input"), _named(graph, graph.outputs, "output")


def _named(graph: TfliteGraph, places: tuple[int, ...], side: str) -> tuple[TensorSpec, ...]:
    specs = [graph.tensors[place].spec for place in places]
    counts = Counter(spec.name for spec in specs)
    return tuple(
        spec if spec.name and counts[spec.name] == 1 else TensorSpec(f"{side}_{place}", spec.dtype, spec.shape)
        for place, spec in enumerate(specs)
    )


def _code(table: Table) -> str:
    """Return an operator's name; older files keep its number in one byte."""
    # Numbers above 127 do not fit the old byte, which then holds 127; the larger one counts (schema.fbs, OperatorCode).
    number = max(table.number(0, "b"), table.number(3, "i"))
    if number == CUSTOM:
        return f"custom {table.text(1)[:80] or 'without a name'}"
    names = _names()
    if number not in names:
        raise Refused(f"The operator number {number} is newer than the installed LiteRT supports.", AGAIN)
    return names[number]


def _names() -> dict[int, str]:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return {number: name for name, number in vars(BuiltinOperator).items() if isinstance(number, int)}


def _buffer(table: Table, size: int) -> tuple[int, int]:
    """Return the start and length of a buffer's bytes; large models keep them behind the tables."""
    offset, length = table.number(1, "Q"), table.number(2, "Q")
    # Only an offset above 1 counts (schema.fbs, Buffer).
    if offset > 1:
        if offset + length > size:
            raise Refused("A weight extends beyond the file, which is cut off or broken.", AGAIN)
        return offset, length
    return table.span(0)


def _graph(table: Table, codes: list[str], buffers: list[tuple[int, int]]) -> TfliteGraph:
    tensors = [_tensor(inner, buffers) for inner in table.tables(0)]
    operators = [_operator(inner, codes) for inner in table.tables(3)]
    graph = TfliteGraph(tensors, operators, table.numbers(1, "i"), table.numbers(2, "i"))
    ends = (*graph.inputs, *graph.outputs, *(place for operator in operators for place in operator.gives))
    takes = (place for operator in operators for place in operator.takes if place != NO_TENSOR)
    if any(not 0 <= place < len(tensors) for place in (*ends, *takes)):
        raise Refused("The graph names a tensor that it does not have.", AGAIN)
    return graph


def _operator(table: Table, codes: list[str]) -> Operator:
    number = table.number(0, "I")
    if number >= len(codes):
        raise Refused("The graph names an operator that it does not list.", AGAIN)
    return Operator(codes[number], table.numbers(1, "i"), table.numbers(2, "i"))


def _tensor(table: Table, buffers: list[tuple[int, int]]) -> TfliteTensor:
    name, kind, buffer = table.text(3)[:200], table.number(1, "b"), table.number(2, "I")
    where = f"The tensor {name[:80]!r}"
    if kind not in DTYPES or buffer >= len(buffers):
        raise Refused(f"{where} has an unknown type, or a missing buffer.", AGAIN)
    # shape_signature has -1 for a dynamic dimension, where shape holds some number (schema.fbs, Tensor).
    shape, wanted = table.numbers(0, "i"), table.numbers(7, "i")
    start, length = buffers[buffer]
    sparse = table.table(6) is not None
    _check_size(where, shape, bits(DTYPES[kind]), 0 if sparse else length)
    quantization = table.table(4)
    scales = quantization.count(2) if quantization else 0
    spec = TensorSpec(name, DTYPES[kind], _dims(shape, wanted))
    zeros = set(quantization.numbers(3, "q")) if quantization else set()
    zero = zeros.pop() if len(zeros) == 1 else 0
    return TfliteTensor(spec, buffer, start, length, bool(table.number(5, "B")), sparse, bool(scales), scales, zero)


def _check_size(where: str, shape: tuple[int, ...], bits: int, length: int) -> None:
    elements = 1
    for dim in shape:
        elements *= max(dim, 0)
    if elements > MAX_ELEMENTS or any(dim < -1 for dim in shape):
        raise Refused(f"{where} has an impossible shape.", AGAIN)
    if length and bits and length != (elements * bits + 7) // 8:
        raise Refused(f"{where} claims {elements:,} elements but holds a different number of bytes.", AGAIN)


def _dims(shape: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[Dim, ...]:
    """Return the shape with its free dimensions, the first of them as the batch."""
    signed = wanted if len(wanted) == len(shape) else shape
    return tuple(dim if dim >= 0 else ("batch" if place == 0 else None) for place, dim in enumerate(signed))
