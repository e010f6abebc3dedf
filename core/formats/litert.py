"""LiteRT (TensorFlow Lite): one flatbuffer with graph and weights, for phones and microcontrollers."""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused
from core.domain.format import Format, Risk, Summary, Surroundings, Tensor
from core.formats.anatomy import drawing, tflite
from core.formats.anatomy.drawing import Drawn
from core.formats.anatomy.elements import bits
from core.formats.anatomy.findings import info
from core.formats.anatomy.tensor_bytes import array
from core.formats.anatomy.tflite import TfliteGraph, TfliteModel, TfliteTensor
from core.formats.anatomy.weight_counts import WeightCounts

if TYPE_CHECKING:
    import numpy as np

MAX_BYTES = 2 << 30
FLEX = "Flex"
"""Operators of TensorFlow itself carry this before their name."""


class LiteRt(Format):
    """A flatbuffer of standard operators; one that needs code beside it is refused by name."""

    title = "LiteRT (.tflite)"
    sentence = "Models for phones and small devices, formerly TensorFlow Lite: float, 8-bit, sparse or stateful."
    suffixes = (".tflite",)
    runs_in = Surroundings.DEVICE
    lists_tensors = True

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the flatbuffer carries the identifier of LiteRT."""
        return head[4:8] == b"TFL3"

    def check(self, path: Path) -> Iterator[Risk]:
        """Read all tables within bounds, check tensors against buffers, and refuse operators that need other code."""
        if path.stat().st_size > MAX_BYTES:
            raise Refused("The file is larger than 2 GB, the limit of a flatbuffer.", "Use ONNX with external data.")
        model = tflite.read(path)
        if model.custom:
            _refuse_custom(model.custom)
        tensors = [tensor for graph in model.graphs for tensor in graph.tensors]
        if any(tensor.variable for tensor in tensors) or "READ_VARIABLE" in tflite.used(model):
            yield info("The model keeps a state between calls; every proof starts from a fresh state.")
        if any(tensor.sparse for tensor in tensors):
            yield info("The model stores weights as sparse tensors.")

    def inspect(self, path: Path) -> Summary:
        """Read signature, operators and weights from the tables."""
        model = tflite.read(path)
        counts = _weight_counts(path, model)
        inputs, outputs = tflite.signature(model.graphs[0])
        tensors = [tensor for graph in model.graphs for tensor in graph.tensors]
        return Summary(
            format=self.id,
            signature=Signature(inputs, outputs),
            **counts.facts,
            operators=dict(tflite.used(model).most_common()),
            producer=model.description or None,
            dependencies=("ai-edge-litert",),
            notes={
                "schema": model.version,
                "subgraphs": len(model.graphs),
                "signatures": list(model.signatures),
                "metadata": list(model.metadata),
                "quantized_tensors": sum(tensor.quantized for tensor in tensors),
                "sparse_tensors": sum(tensor.sparse for tensor in tensors),
                "variables": sum(tensor.variable for tensor in tensors),
            },
        )

    def graph(self, path: Path, out: Path) -> bool:
        """Write the first graph without its weights."""
        out.write_bytes(_drawing(tflite.read(path).graphs[0]))
        return True

    def tensors(self, path: Path) -> Iterator[Tensor]:
        """Yield the tensors that have bytes in the file; sparse ones are not unpacked."""
        with path.open("rb") as file:
            for tensor in tflite.weights(tflite.read(path)):
                yield Tensor(tensor.spec.name, tensor.spec.dtype, _shape(tensor), partial(_numbers, file, tensor))


def _shape(tensor: TfliteTensor) -> tuple[int, ...]:
    return tuple(dim for dim in tensor.spec.shape or () if isinstance(dim, int))


def _numbers(file: BinaryIO, tensor: TfliteTensor) -> "np.ndarray | None":
    file.seek(tensor.start)
    return None if tensor.sparse else array(file.read(tensor.length), tensor.spec.dtype, _shape(tensor))


def _refuse_custom(names: tuple[str, ...]) -> None:
    """Refuse operators whose code is not in LiteRT, telling TensorFlow's own from the rest."""
    flex = [name.removeprefix(FLEX) for name in names if name.startswith(FLEX)]
    others = [name for name in names if not name.startswith(FLEX)]
    if flex:
        raise Refused(
            f"The model needs these operators of TensorFlow itself: {', '.join(flex[:20])}."
            + (f" It also needs custom operators: {', '.join(others[:20])}." if others else ""),
            "Convert it again with TFLITE_BUILTINS only, or replace these operators in the source.",
        )
    raise Refused(
        f"The model needs custom operators, whose code is not part of it: {', '.join(others[:20])}.",
        "Convert it again from its source with built-in operators only.",
    )


def _weight_counts(path: Path, model: TfliteModel) -> WeightCounts:
    """Count the weights; single numbers are constants, no weights."""
    counts = WeightCounts()
    with path.open("rb") as file:
        for tensor in tflite.weights(model):
            shape = _shape(tensor)
            if not shape:
                counts.mention(tensor.spec.name, tensor.spec.dtype, ())
                continue
            counts.add(tensor.spec.name, tensor.spec.dtype, shape)
            file.seek(tensor.start)
            counts.measure_stream(file, tensor.length, tensor.spec.dtype, tensor.zero)
            if tensor.sparse and (width := bits(tensor.spec.dtype)):
                counts.left_out(math.prod(shape) - 8 * tensor.length // width)
    return counts


def _drawing(graph: TfliteGraph) -> bytes:
    names = [f"{place}:{tensor.spec.name}" for place, tensor in enumerate(graph.tensors)]
    nodes = [
        Drawn(o.type, "", tuple(names[t] if t >= 0 else "" for t in o.takes), tuple(names[t] for t in o.gives))
        for o in graph.operators
    ]

    def specs(places: tuple[int, ...]) -> list[TensorSpec]:
        found = [graph.tensors[place].spec for place in places]
        return [TensorSpec(names[place], s.dtype, s.shape) for place, s in zip(places, found, strict=True)]

    weights = tuple(place for place, tensor in enumerate(graph.tensors) if tensor.length)
    return drawing.onnx("litert", nodes, specs(graph.inputs), specs(graph.outputs), specs(weights))


FORMAT = LiteRt()
