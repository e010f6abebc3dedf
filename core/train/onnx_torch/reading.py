"""Reads an ONNX model into nodes and weights, with functions written out, and names at once all that torch cannot do."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch

from core.domain.errors import Refused
from core.onnx import files, weights
from core.onnx.typing import AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto
from core.train.onnx_torch.dtypes import tensor_of, torch_dtype
from core.train.onnx_torch.graph import DecodedGraph, Node, Port
from core.train.onnx_torch.operators import SUPPORTED

OLDEST = 7
DEEPEST = 4
"""Levels of definitions inside definitions that are written out."""
NAMED = 8
"""Unsupported operators that are named before the rest is counted."""


def read(model: ModelProto) -> tuple[DecodedGraph, dict[str, torch.Tensor]]:
    """Return graph and weights of a ModelProto. Raises Refused with all unsupported operators and where they are."""
    if files.opset(model) < OLDEST:
        raise Refused(
            f"The file has opset {files.opset(model)}, and operators had another meaning before opset {OLDEST}.",
            "Convert it to a newer opset first (ONNX to ONNX).",
        )
    model = _inlined(model)
    _check_supported(model.graph)
    reader = _Reader({_domain(opset.domain): opset.version for opset in model.opset_import})
    held = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in held]
    return reader.graph(model.graph, tuple(_port(value) for value in inputs)), reader.weights


class _Reader:
    """Collects the weights of a model and of the graphs inside its nodes under keys of their own."""

    def __init__(self, versions: dict[str, int]) -> None:
        self._versions = versions
        self.weights: dict[str, torch.Tensor] = {}

    def graph(self, proto: GraphProto, inputs: tuple[Port, ...]) -> DecodedGraph:
        constants = {tensor.name: self._keep(tensor.name, tensor_of(tensor)) for tensor in proto.initializer}
        if proto.sparse_initializer:
            raise Refused("The model holds sparse weights.", "Save it with dense weights.")
        nodes = []
        for node in proto.node:
            if node.op_type == "Constant" and _domain(node.domain) == "":
                constants[node.output[0]] = self._keep(node.output[0], _constant(node))
            else:
                nodes.append(self._node(node))
        return DecodedGraph(inputs, tuple(value.name for value in proto.output), tuple(nodes), constants)

    def _keep(self, name: str, tensor: torch.Tensor) -> str:
        key = name
        while key in self.weights:
            key += "_"
        self.weights[key] = tensor
        return key

    def _node(self, node: NodeProto) -> Node:
        domain = _domain(node.domain)
        return Node(
            type=node.op_type,
            domain=domain,
            name=node.name,
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            attributes={attribute.name: self._attribute(attribute) for attribute in node.attribute},
            opset=self._versions.get(domain, 1),
        )

    def _attribute(self, attribute: AttributeProto) -> Any:
        import onnx

        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if isinstance(value, onnx.TensorProto):
            return tensor_of(value)
        if isinstance(value, onnx.GraphProto):
            return self.graph(value, tuple(Port(one.name, None, None) for one in value.input))
        if isinstance(value, list | tuple) or hasattr(value, "extend"):
            return [item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in value]
        return value


def nodes_of(graph: DecodedGraph) -> Iterator[tuple[DecodedGraph, Node]]:
    """Yield each node with the graph that it stands in, those of inner graphs included."""
    for node in graph.nodes:
        yield graph, node
        for value in node.attributes.values():
            if isinstance(value, DecodedGraph):
                yield from nodes_of(value)


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _constant(node: NodeProto) -> torch.Tensor:
    """Return the value of a Constant node. Raises Refused for sparse values and text."""
    import onnx

    if not node.attribute:
        raise Refused(f"The constant {node.output[0]!r} has no value.", "Export the model again.")
    attribute = node.attribute[0]
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.name == "value":
        return tensor_of(value)
    if attribute.name in ("value_float", "value_floats"):
        return torch.tensor(value, dtype=torch.float32)
    if attribute.name in ("value_int", "value_ints"):
        return torch.tensor(value, dtype=torch.int64)
    raise Refused(f"The constant {node.output[0]!r} is sparse or text.", "Remove that part of the model.")


def _port(value: ValueInfoProto) -> Port:
    if not value.type.HasField("tensor_type"):
        raise Refused(
            f"The input {value.name!r} is not a tensor.", "Remove the part that works with sequences or maps."
        )
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return Port(value.name, torch_dtype(kind.elem_type), None)
    dims = [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in kind.shape.dim]
    return Port(value.name, torch_dtype(kind.elem_type), tuple(dims))


def _inlined(model: ModelProto) -> ModelProto:
    """Write out the model's own functions, and operators that torch has not but ONNX defines by others."""
    import onnx.inliner

    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    for _ in range(DEEPEST):
        missing = {_key(node) for node in weights.nodes(model.graph)} - SUPPORTED
        defined = [key for key in sorted(missing) if key[0] == "" and _has_body(key[1], files.opset(model))]
        if not defined:
            break
        model = _expanded(model, defined)
    return model


def _expanded(model: ModelProto, keys: list[tuple[str, str]]) -> ModelProto:
    """Write operators out by the definitions that ONNX gives; some need the types of their inputs."""
    import onnx.inliner
    import onnx.shape_inference

    try:
        shaped = onnx.shape_inference.infer_shapes(model)
        return onnx.inliner.inline_selected_functions(shaped, keys, inline_schema_functions=True)
    except Exception:
        return model


def _has_body(name: str, opset: int) -> bool:
    import onnx

    try:
        schema = onnx.defs.get_schema(name, opset, "")
    except onnx.defs.SchemaError:
        return False
    # The stubs of onnx 1.23.2 lack both.
    return bool(schema.has_function or schema.has_context_dependent_function)  # type: ignore[attr-defined]


def _check_supported(graph: GraphProto) -> None:
    missing = [node for node in weights.nodes(graph) if _key(node) not in SUPPORTED]
    if not missing:
        return
    counted = Counter(_key(node) for node in missing)
    first = {key: next(node for node in missing if _key(node) == key) for key in counted}
    named = [_said(key, count, first[key]) for key, count in counted.most_common(NAMED)]
    more = f" and {len(counted) - NAMED} more kinds" if len(counted) > NAMED else ""
    raise Refused(
        f"These operators have no torch equivalent here: {', '.join(named)}{more}.",
        "Remove or replace these operators, or choose OpenVINO or ONNX as the target.",
    )


def _said(key: tuple[str, str], count: int, node: NodeProto) -> str:
    place = node.name or next((out for out in node.output if out), "")
    domain = f" of {key[0]}" if key[0] else ""
    return f"{key[1]}{domain} ({count} x, first {place[:60]!r})"


def _key(node: NodeProto) -> tuple[str, str]:
    return _domain(node.domain), node.op_type
