"""The structure of an ONNX model against fixed bounds: what crashes or hangs native readers is refused before they see it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from core.domain.errors import Refused
from core.domain.format import Risk
from core.formats.anatomy import onnx_dtypes as dtypes
from core.formats.anatomy.findings import info, warning
from core.formats.anatomy.onnx_wire import Payload, Skeleton

if TYPE_CHECKING:
    import onnx

MAX_NODES = 50_000
MAX_DEPTH = 16
MAX_INLINED = 200_000
MAX_ELEMENTS = 2**31
FAR_OPSET = 1000
MAX_OPSET = 26

DOMAINS = {
    "",
    "ai.onnx",
    "ai.onnx.ml",
    "ai.onnx.training",
    "ai.onnx.preview.training",
    "com.microsoft",
    "com.microsoft.nchwc",
}
OUTSIDE_CODE = {
    *(
        "EPContext",
        "PythonOp",
        "PythonOpGrad",
        "ATen",
        "TensorRT_Plugin",
        "TRT_Plugin",
        "TritonOp",
        "ExternalFunction",
        "OpenVINO_EPContext",
    ),
}
"""Operators that hand over to code or to compiled blobs outside the graph."""

INTEGERS = (
    "Quantize",
    "Dequantize",
    "DynamicQuantize",
    "QLinear",
    "QGemm",
    "MatMulInteger",
    "ConvInteger",
    "MatMulNBits",
)
"""What the operators of quantized files begin with."""

AGAIN = "Export the model again from its source."


Key = tuple[str, str, str]
"""Domain, name and overload: what a node calls and a function defines."""


@dataclass
class Walk:
    """What the walk of all graphs has seen."""

    nodes: int = 0
    depth: int = 0
    tensors: list[tuple["onnx.TensorProto", Payload | None]] = field(default_factory=list)
    operators: Counter[str] = field(default_factory=Counter)
    called: set[Key] = field(default_factory=set)


def check(skeleton: Skeleton) -> Iterator[Risk]:
    """Check a model and yield what its owner should know. Raises Refused for what no honest model has."""
    model = skeleton.model
    if not model.graph.node and not model.graph.output:
        raise Refused("The ONNX graph is empty.", AGAIN)
    _check_texts((model.producer_name, model.producer_version, *(o.domain for o in model.opset_import)))
    for one in (*model.opset_import, *(o for f in model.functions for o in f.opset_import)):
        if not 0 <= one.version <= FAR_OPSET:
            raise Refused(
                f"The model asks for opset {one.version} of {one.domain or 'ONNX'!r}, which cannot be.", AGAIN
            )
    _check_texts(name for f in model.functions for name in (f.name, f.domain, *f.input, *f.output))
    functions = {(f.domain, f.name, f.overload): f for f in model.functions}
    walk = walked(skeleton)
    _check_inlined(model, functions)
    _check_called(walk, functions)
    for tensor, payload in walk.tensors:
        check_tensor(tensor, payload)
    yield from _remarks(model, walk)


def walked(skeleton: Skeleton) -> Walk:
    """Walk the graph, its subgraphs and the functions. Raises Refused beyond the bounds, or for a cycle."""
    walk = Walk()
    model = skeleton.model
    for place, tensor in enumerate(model.graph.initializer):
        walk.tensors.append((tensor, skeleton.payloads.get(place)))
    _graph(model.graph, walk, 1, top=model.graph)
    for function in model.functions:
        _nodes(function.node, walk, 1)
        check_acyclic(function.node, set(function.input))
    return walk


def check_tensor(tensor: "onnx.TensorProto", payload: Payload | None) -> None:
    """Refuse a tensor whose shape and bytes tell different stories; external data is the caller's affair."""
    where = f"The weight {tensor.name[:80]!r}" if tensor.name else "A constant"
    if tensor.data_type not in dtypes.NAMES:
        raise Refused(f"{where} has the unknown element type {tensor.data_type}.", AGAIN)
    if len(tensor.dims) > 64 or any(dim < 0 for dim in tensor.dims):
        raise Refused(f"{where} has a negative dimension, or more than 64 of them.", AGAIN)
    count = dtypes.elements(tensor.dims)
    if count > MAX_ELEMENTS:
        raise Refused(f"{where} claims {count:,} elements; the limit is {MAX_ELEMENTS:,}.", AGAIN)
    if tensor.data_location == dtypes.EXTERNAL:
        return
    if tensor.HasField("segment"):
        raise Refused(f"{where} is a segment of a tensor, which no reader supports.", AGAIN)
    if not _holds(tensor, payload, count):
        raise Refused(f"{where} claims {count:,} elements but holds a different number of bytes.", AGAIN)


def check_acyclic(nodes: "Sequence[onnx.NodeProto]", given: set[str]) -> None:
    """Refuse nodes that wait for one another, or two that give the same name."""
    producer: dict[str, int] = {}
    for place, node in enumerate(nodes):
        for output in node.output:
            if output and (output in producer or output in given):
                raise Refused(f"Two nodes of the graph produce the same name {output[:60]!r}.", AGAIN)
            producer[output] = place
    waits = {place: {producer[name] for name in _reads(node) if name in producer} for place, node in enumerate(nodes)}
    try:
        TopologicalSorter(waits).prepare()
    except CycleError:
        raise Refused("The graph contains a cycle: nodes wait for one another.", AGAIN) from None


def subgraphs(node: "onnx.NodeProto") -> "Iterator[onnx.GraphProto]":
    """Yield the graphs inside a node's attributes."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def constants(node: "onnx.NodeProto") -> "Iterator[onnx.TensorProto]":
    """Yield the tensors inside a node's attributes."""
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for sparse in (
            *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
            *attribute.sparse_tensors,
        ):
            yield from _sparse_parts(sparse)


def _graph(graph: "onnx.GraphProto", walk: Walk, depth: int, top: "onnx.GraphProto | None" = None) -> None:
    if depth > MAX_DEPTH:
        raise Refused(f"Graphs are nested more than {MAX_DEPTH} levels deep.", AGAIN)
    walk.depth = max(walk.depth, depth)
    _check_texts(value.name for value in (*graph.input, *graph.output, *graph.initializer))
    _check_texts(dim.dim_param for v in (*graph.input, *graph.output) for dim in v.type.tensor_type.shape.dim)
    if graph is not top:
        walk.tensors += [(tensor, None) for tensor in graph.initializer]
    for sparse in graph.sparse_initializer:
        walk.tensors += [(tensor, None) for tensor in _sparse_parts(sparse)]
    _nodes(graph.node, walk, depth)
    held = {tensor.name for tensor in graph.initializer}
    check_acyclic(graph.node, held | {value.name for value in graph.input})


def _nodes(nodes: "Sequence[onnx.NodeProto]", walk: Walk, depth: int) -> None:
    walk.nodes += len(nodes)
    if walk.nodes > MAX_NODES:
        raise Refused(f"The model has more than {MAX_NODES:,} nodes.", "Simplify the model before exporting it.")
    for node in nodes:
        _check_texts((node.name, node.op_type, node.domain, node.overload, *node.input, *node.output))
        walk.operators[f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type] += 1
        walk.called.add((node.domain, node.op_type, node.overload))
        if node.op_type in OUTSIDE_CODE:
            raise Refused(
                f"The operator {node.op_type} calls code outside the model.",
                "Export the model without execution-provider caches and plugins.",
            )
        walk.tensors += [(tensor, None) for tensor in constants(node)]
        for inner in subgraphs(node):
            _graph(inner, walk, depth + 1)


def _check_texts(texts: Iterable[object]) -> None:
    """Refuse names that are no text: protobuf hands broken UTF-8 over as bytes."""
    if not all(isinstance(text, str) for text in texts):
        raise Refused("A name in the model is not valid text.", "Download or export the file again.")


def _check_inlined(model: "onnx.ModelProto", functions: dict[Key, "onnx.FunctionProto"]) -> None:
    """Refuse functions that call themselves, or that would grow the graph beyond bounds when they are put in place."""
    sizes: dict[Key, int] = {}
    open_calls: set[Key] = set()

    def grown(nodes: "Sequence[onnx.NodeProto]") -> int:
        total = 0
        for node in nodes:
            total += called((node.domain, node.op_type, node.overload)) + sum(
                grown(inner.node) for inner in subgraphs(node)
            )
            if total > MAX_INLINED:
                raise Refused(f"The model's functions expand to more than {MAX_INLINED:,} nodes.", AGAIN)
        return total

    def called(key: Key) -> int:
        if key not in functions:
            return 1
        if key in open_calls or len(open_calls) > 200:
            raise Refused(f"The function {key[1][:60]!r} of the model calls itself.", AGAIN)
        if key not in sizes:
            open_calls.add(key)
            sizes[key] = grown(functions[key].node)
            open_calls.remove(key)
        return sizes[key]

    grown(model.graph.node)
    for function in functions:
        called(function)


def _check_called(walk: Walk, functions: dict[Key, "onnx.FunctionProto"]) -> None:
    for key in sorted(walk.called):
        domain, name = key[0][:60], key[1][:60]
        if domain not in DOMAINS and key not in functions:
            raise Refused(
                f"The model needs the operator {name} of {domain!r}, which is not part of ONNX.",
                "Export it with standard operators only.",
            )


def _remarks(model: "onnx.ModelProto", walk: Walk) -> Iterator[Risk]:
    version = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
    if version > MAX_OPSET:
        yield warning(
            f"Opset {version} is newer than this ONNX Runtime supports ({MAX_OPSET}): convert the model to a lower opset."
        )
    if any(domain.startswith("com.microsoft") for domain, _, _ in walk.called):
        yield info("Some operators are ONNX Runtime's own (com.microsoft): other engines may not run them.")
    if quantized := sorted(name for name in walk.operators if name.rpartition(".")[2].startswith(INTEGERS)):
        yield info(f"The model is already quantized: it holds {', '.join(quantized[:4])}.")
    if walk.operators["Loop"] or walk.operators["Scan"]:
        yield info("The graph has loops, so its running time can depend on its inputs.")
    if any(
        dim.dim_value < 0 for v in (*model.graph.input, *model.graph.output) for dim in v.type.tensor_type.shape.dim
    ):
        yield warning("A dimension of an input or output is negative; it is treated as unknown.")


def _holds(tensor: "onnx.TensorProto", payload: Payload | None, count: int) -> bool:
    if payload is not None:
        return tensor.data_type != 8 and payload.length == dtypes.expected_bytes(tensor.data_type, count)
    if tensor.HasField("raw_data"):
        return tensor.data_type != 8 and len(tensor.raw_data) == dtypes.expected_bytes(tensor.data_type, count)
    per_entry = 8 // dtypes.BITS.get(tensor.data_type, 8) if dtypes.BITS.get(tensor.data_type, 8) < 8 else 1
    held = dtypes.typed_elements(tensor)
    return held == count or (per_entry > 1 and 0 <= held - count < per_entry)


def _reads(node: "onnx.NodeProto") -> set[str]:
    """Return the names that a node waits for, those that its subgraphs take from outside included."""
    names = {name for name in node.input if name}
    for inner in subgraphs(node):
        own = {value.name for value in (*inner.input, *inner.initializer)} | {o for n in inner.node for o in n.output}
        names |= {name for n in inner.node for name in _reads(n)} - own
        names |= {value.name for value in inner.output} - own
    return names


def _sparse_parts(sparse: "onnx.SparseTensorProto") -> "tuple[onnx.TensorProto, ...]":
    if any(dim < 0 for dim in sparse.dims) or dtypes.elements(sparse.dims) > MAX_ELEMENTS:
        raise Refused("A sparse weight has an impossible shape.", AGAIN)
    return sparse.values, sparse.indices
