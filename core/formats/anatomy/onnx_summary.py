"""What an ONNX model says of itself: signature, operators, weights, origin; and its graph without weights for the viewer."""

import io
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from core.domain.artifact import Dim, Signature, TensorSpec
from core.domain.codec import encode
from core.domain.format import Format, Summary, Tensor
from core.domain.integer_products import Integers
from core.formats.anatomy import onnx_compact, told
from core.formats.anatomy import onnx_dtypes as dtypes
from core.formats.anatomy.integer_products import products
from core.formats.anatomy.onnx_audit import constants, subgraphs, walked
from core.formats.anatomy.onnx_wire import Payload, Skeleton, read
from core.formats.anatomy.tensor_bytes import array
from core.formats.anatomy.weight_counts import WeightCounts

if TYPE_CHECKING:
    import numpy as np
    import onnx

KEPT_ELEMENTS = 64


class OnnxInside(Format):
    """A format whose file is one ONNX model, or holds one."""

    lists_tensors = lists_operators = True

    def model(self, path: Path) -> AbstractContextManager[Path]:
        """Return where the model lies for as long as it is read. Raises Refused when there is not one."""
        raise NotImplementedError

    def as_onnx(self, path: Path) -> AbstractContextManager[Path]:
        """Return the model, which needs no other file."""
        return self.model(path)

    def inspect(self, path: Path) -> Summary:
        """Read signature, operators and weights without loading large weights."""
        with self.model(path) as model:
            return summary(self.id, model, read(model))

    def graph(self, path: Path, out: Path) -> bool:
        """Write the graph without its weights."""
        with self.model(path) as model:
            out.write_bytes(weightless(read(model).model))
        return True

    def tensors(self, path: Path) -> Iterator[Tensor]:
        """Yield initializers and constants of the graph, its inner graphs and its functions, and the lists of numbers that nodes hold."""
        with self.model(path) as model, model.open("rb") as file:
            skeleton = read(model)
            for tensor, payload in walked(skeleton).tensors:
                load = partial(self.numbers, path, tensor, payload, file)
                yield Tensor(tensor.name, dtypes.name(tensor.data_type), tuple(tensor.dims), load)
            yield from _lists(skeleton.model.graph)

    def numbers(
        self, path: Path, tensor: "onnx.TensorProto", payload: Payload | None, file: BinaryIO
    ) -> "np.ndarray | None":
        """Return what a tensor holds; None for texts, types of parts of bytes, and what lies in another file."""
        from onnx import numpy_helper

        kind = dtypes.name(tensor.data_type)
        if payload is not None:
            file.seek(payload.start)
            return array(file.read(payload.length), kind, tuple(tensor.dims))
        if tensor.data_location == dtypes.EXTERNAL or array(b"", kind, (0,)) is None:
            return None
        return numpy_helper.to_array(tensor)


def summary(format: str, path: Path, skeleton: Skeleton) -> Summary:
    """Return what a model that passed its audit says; ``path`` is the file that holds the weights in place."""
    model = skeleton.model
    walk = walked(skeleton)
    counts = WeightCounts()
    packed = onnx_compact.weights(model)
    apart, rounded = _apart(model, packed), _rounded(model.graph)
    with path.open("rb") as file:
        for tensor, payload in walk.tensors:
            if id(tensor) not in apart:
                _count(counts, tensor, payload, file, rounded.get(tensor.name, ""))
    for weight in packed:
        _count_packed(counts, weight)
    _count_trees(counts, model.graph)
    return Summary(
        format=format,
        signature=signature(model.graph),
        **counts.facts,
        operators=dict(walk.operators.most_common()),
        producer=" ".join(part for part in (model.producer_name, model.producer_version) if part)[:200] or None,
        opset=max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=None),
        dependencies=tuple(_domains(model)),
        notes={
            "ir_version": model.ir_version,
            "nodes": walk.nodes,
            "functions": len(model.functions),
            "integers": encode(Integers.of(products(skeleton, path))),
            **({"metadata": told.shown(entries)} if (entries := _entries(model)) else {}),
            **({"bits_a_weight": round(onnx_compact.bits(model, packed), 2)} if packed else {}),
        },
    )


def _entries(model: "onnx.ModelProto") -> dict[str, str]:
    """Return the owner's entries, and the documentation of the model."""
    documentation = {"doc_string": model.doc_string} if model.doc_string else {}
    return {**documentation, **{entry.key: entry.value for entry in model.metadata_props}}


def signature(graph: "onnx.GraphProto") -> Signature:
    """Return the inputs that are no initializers, and the outputs; a free dimension keeps its name."""
    held = {tensor.name for tensor in graph.initializer}
    inputs = tuple(spec(value) for value in graph.input if value.name not in held)
    return Signature(inputs, tuple(spec(value) for value in graph.output))


def spec(value: "onnx.ValueInfoProto") -> TensorSpec:
    """Return one input or output; sequences and maps have a written-out type and no shape."""
    kind = value.type.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        tensor = getattr(value.type, kind)
        shape = tuple(_dim(dim) for dim in tensor.shape.dim) if tensor.HasField("shape") else None
        return TensorSpec(value.name, "str" if tensor.elem_type == 8 else dtypes.name(tensor.elem_type), shape)
    return TensorSpec(value.name, _type_text(value.type), None)


def weightless(model: "onnx.ModelProto") -> bytes:
    """Return the model without the data of its weights, marked as kept elsewhere, for drawing; names are kept."""
    for tensor in model.graph.initializer:
        _strip(tensor)
    for graph_nodes in (model.graph.node, *(f.node for f in model.functions)):
        _strip_nodes(graph_nodes)
    return bytes(model.SerializeToString())


def _strip_nodes(nodes: "Sequence[onnx.NodeProto]") -> None:
    for node in nodes:
        node.doc_string = ""
        for tensor in constants(node):
            _strip(tensor)
        for inner in subgraphs(node):
            for tensor in inner.initializer:
                _strip(tensor)
            _strip_nodes(inner.node)


def _strip(tensor: "onnx.TensorProto") -> None:
    if dtypes.elements(tensor.dims) <= KEPT_ELEMENTS and tensor.data_location != dtypes.EXTERNAL:
        return
    for kind in ("raw", "float", "int32", "int64", "double", "uint64", "string", "external"):
        tensor.ClearField(f"{kind}_data")
    tensor.data_location = dtypes.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "weights"


def _rounded(graph: "onnx.GraphProto") -> dict[str, str]:
    """Return the integer type of each weight that is stored in floats and rounded by the graph, as training for integers leaves it."""
    kinds = {tensor.name: dtypes.name(tensor.data_type) for tensor in graph.initializer}
    made = (node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] in kinds)
    return {node.input[0]: kinds.get(node.input[2], "uint8") if len(node.input) > 2 else "uint8" for node in made}


def _count(
    counts: WeightCounts, tensor: "onnx.TensorProto", payload: Payload | None, file: BinaryIO, rounded: str
) -> None:
    """Count a tensor, and its zeros where its data is in the file; single numbers are constants, no weights."""
    import numpy as np

    kind = "string" if tensor.data_type == 8 else dtypes.name(tensor.data_type)
    if not tensor.dims:
        counts.mention(tensor.name, kind, ())
        return
    counts.add(tensor.name, kind, tuple(tensor.dims), rounded)
    if tensor.data_location == dtypes.EXTERNAL:
        return
    if payload is not None:
        file.seek(payload.start)
        counts.measure_stream(file, payload.length, kind)
    elif tensor.raw_data:
        counts.measure_stream(io.BytesIO(tensor.raw_data), len(tensor.raw_data), kind)
    elif tensor.data_type == 1 and len(tensor.float_data):
        counts.measure(np.asarray(tensor.float_data, dtype=np.float32))


def _apart(model: "onnx.ModelProto", packed: list[onnx_compact.Compact]) -> set[int]:
    """Return the identities of tensors that are counted otherwise: what packed weights are made of, what trees hold, and what only fills."""
    names = {name for weight in packed for name in weight.tensors}
    held = [
        tensor
        for node in _nodes(model.graph)
        if node.domain == "ai.onnx.ml" or node.op_type == "ConstantOfShape"
        for tensor in constants(node)
    ]
    made = [tensor for tensor in model.graph.initializer if tensor.name in names]
    return {id(tensor) for tensor in (*made, *held)}


def _nodes(graph: "onnx.GraphProto") -> "Iterator[onnx.NodeProto]":
    for node in graph.node:
        yield node
        for inner in subgraphs(node):
            yield from _nodes(inner)


def _count_packed(counts: WeightCounts, weight: onnx_compact.Compact) -> None:
    """Count a packed weight as what it becomes, with its zeros where they are left out of the file."""
    counts.add(weight.name, dtypes.name(weight.kind), weight.shape)
    if weight.zeros:
        counts.measured += weight.size
        counts.zeros += weight.zeros


def _lists(graph: "onnx.GraphProto") -> Iterator[Tensor]:
    """Yield the lists in the attributes of nodes: thresholds and leaves of trees, coefficients."""
    import numpy as np

    for node in _nodes(graph):
        for attribute in node.attribute:
            for dtype, numbers in (("float32", attribute.floats), ("int64", attribute.ints)):
                if len(numbers):
                    load = partial(np.array, numbers, dtype)
                    yield Tensor(f"{node.name or node.op_type}.{attribute.name}", dtype, (len(numbers),), load)


def _count_trees(counts: WeightCounts, graph: "onnx.GraphProto") -> None:
    """Count the numbers in the attributes of classical models: coefficients, thresholds, leaves."""
    for node in graph.node:
        if node.domain == "ai.onnx.ml":
            counts.count("float32", sum(len(attribute.floats) for attribute in node.attribute))
            for tensor in constants(node):
                kind = dtypes.name(tensor.data_type)
                counts.count(kind, dtypes.elements(tensor.dims) if kind.startswith("float") else 0)


def _dim(dim: "onnx.TensorShapeProto.Dimension") -> Dim:
    if dim.HasField("dim_value"):
        return int(dim.dim_value) if dim.dim_value >= 0 else None
    return str(dim.dim_param)[:80] or None


def _domains(model: "onnx.ModelProto") -> Iterator[str]:
    defined = {f.domain for f in model.functions}
    for entry in model.opset_import:
        if entry.domain not in defined:
            yield f"{entry.domain or 'ai.onnx'} {entry.version}"[:120]


def _type_text(kind: "onnx.TypeProto") -> str:
    which = kind.WhichOneof("value")
    if which == "sequence_type":
        return f"sequence({_type_text(kind.sequence_type.elem_type)})"
    if which == "map_type":
        return f"map({dtypes.name(kind.map_type.key_type)}, {_type_text(kind.map_type.value_type)})"
    if which == "optional_type":
        return f"optional({_type_text(kind.optional_type.elem_type)})"
    return dtypes.name(kind.tensor_type.elem_type) if which == "tensor_type" else "unknown"
