"""The tables of an ORT file: operators and weights, read within bounds.

Field numbers: ``ort.fbs`` of ONNX Runtime, format versions 5 and 6.
"""

import math
import mmap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused
from core.formats.anatomy import onnx_dtypes
from core.formats.anatomy.flatbuffer import Source, Table
from core.formats.anatomy.weight_counts import WeightCounts

MAX_DEPTH = 64
AGAIN = "Convert the model again from its source."


@dataclass(frozen=True)
class OrtTensor:
    """One weight, and where its bytes lie in the file; texts have none."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    length: int


@dataclass(frozen=True)
class OrtGraph:
    """Weights and operators of the graph and of the graphs inside its nodes, and the lists of numbers that nodes hold, as trees do."""

    tensors: list[OrtTensor]
    lists: list[OrtTensor]
    operators: Counter[str]

    def counts(self, path: Path) -> WeightCounts:
        """Count the weights; single numbers are constants, no weights."""
        counts = WeightCounts()
        with path.open("rb") as file:
            for tensor in self.tensors:
                if not tensor.shape:
                    counts.mention(tensor.name, tensor.dtype, ())
                    continue
                counts.add(tensor.name, tensor.dtype, tensor.shape)
                file.seek(tensor.start)
                counts.measure_stream(file, tensor.length, tensor.dtype)
        counts.count("float32", sum(math.prod(one.shape) for one in self.lists if one.dtype == "float32"))
        return counts


def read(path: Path) -> OrtGraph:
    """Read the tables; the weights stay on the disk. Raises Refused for what leads out of the file."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        try:
            model = Source(view).root().table(1)
            graph = model.table(7) if model else None
            if graph is None:
                raise Refused("The file contains no graph.", AGAIN)
            found = OrtGraph([], [], Counter())
            _walk(graph, found, 0)
            return found
        finally:
            view.release()


def _walk(graph: Table, found: OrtGraph, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Refused("The graphs of the file are nested more deeply than any model.", AGAIN)
    found.tensors.extend(map(_tensor, graph.tables(0)))
    for node in graph.tables(2):
        found.operators[".".join(filter(None, (node.text(2)[:60], node.text(5)[:80])))] += 1
        for attribute in node.tables(10):
            if (inner := attribute.table(7)) is not None:
                _walk(inner, found, depth + 1)
            if (tensor := attribute.table(6)) is not None:
                found.tensors.append(_tensor(tensor))
            found.lists.extend(_lists(node, attribute))


def _lists(node: Table, attribute: Table) -> Iterator[OrtTensor]:
    """Yield the numbers of an attribute that holds several."""
    for field, dtype, width in ((8, "float32", 4), (9, "int64", 8)):
        if count := attribute.count(field):
            start, _ = attribute.span(field)
            yield OrtTensor(f"{node.text(0)[:100]}.{attribute.text(0)[:60]}", dtype, (count,), start, count * width)


def _tensor(table: Table) -> OrtTensor:
    name, kind, shape = table.text(0)[:200], table.number(3, "i"), table.numbers(2, "q")
    start, length = table.span(4)
    elements, elsewhere = math.prod(shape), table.number(6, "q", -1) >= 0
    if any(dim < 0 for dim in shape) or (
        kind in onnx_dtypes.BITS and not elsewhere and length != onnx_dtypes.expected_bytes(kind, elements)
    ):
        raise Refused(
            f"The weight {name[:80]!r} claims {elements:,} elements but holds a different number of bytes.", AGAIN
        )
    return OrtTensor(name, onnx_dtypes.name(kind), shape, start, length)
