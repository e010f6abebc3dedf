"""Says whether two ONNX graphs are one network, whatever their values are called and in whatever order their nodes stand.

Each value gets a digest of all that it is computed from: operators by the words of their definition (ONNX's operator schemas), attributes with
defaults filled in, constants by their numbers, inputs by name (a Merkle tree; Merkle 1987, doi:10.1007/3-540-48184-2_32).
Where the digests of all answers are equal no input can tell the two apart, which no sample can say. Nothing is run.
"""

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from core.domain.correspondence import Operators
from core.onnx.typing import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

if TYPE_CHECKING:
    import onnx
    from onnx import SparseTensorProto

DRAWS = (
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
    "Dropout",
)
"""Operators that may answer otherwise the next time: two of them are never known to be one."""
COMPUTED = b"computed"
"""What stands for an input that is no constant where an operator is looked at alone."""


def operators(source: ModelProto, result: ModelProto) -> Operators:
    """Count the operators of the source that the result has too, with the same attributes and constants, and say whether all is connected alike."""
    one, other = (Network.of(model) for model in (source, result))
    found = one.alone & other.alone
    return Operators(
        one.alone.total(),
        found.total(),
        _names(one.alone - found),
        _names(other.alone - found),
        one.answers == other.answers,
    )


def _names(operators: Counter[tuple[str, bytes]]) -> dict[str, int]:
    """Count operators by their names, the most frequent first."""
    names = Counter[str]()
    for (name, _), count in operators.items():
        names[name] += count
    return dict(names.most_common())


@dataclass
class Network:
    """The digests of a graph's answers in their order, behind those of its inputs and of the weights that a caller may replace, and its operators, each alone with its attributes and constants."""

    answers: list[bytes]
    alone: Counter[tuple[str, bytes]]

    @classmethod
    def of(cls, model: ModelProto) -> "Network":
        """Read a model whose weights are loaded; functions of its own count as what they stand for."""
        import onnx.inliner

        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        reading = Reading({domain(opset.domain): opset.version for opset in model.opset_import})
        stored = {tensor.name for tensor in model.graph.initializer}
        given = {one.name: _input(one) for one in model.graph.input if one.name not in stored}
        values = reading.graph(model.graph, given)
        answers = [digest(one.name, values[one.name]) for one in model.graph.output]
        replaceable = digest(sorted(one.name for one in model.graph.input if one.name in stored))
        return cls([*given.values(), replaceable, *answers], reading.alone)


@dataclass
class Reading:
    """What is known while a model is read: the version of each domain, and the operators so far."""

    versions: dict[str, int]
    alone: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    constants: set[bytes] = field(default_factory=set)

    def graph(self, graph: GraphProto, around: dict[str, bytes]) -> dict[str, bytes]:
        """Return the digest of each value by its name, those of the graphs around it among them."""
        values = around | {"": b""} | {tensor.name: self.constant(tensor) for tensor in graph.initializer}
        values |= {sparse.values.name: self.sparse(sparse) for sparse in graph.sparse_initializer}
        for node in graph.node:
            values |= self.node(node, values)
        return values

    def node(self, node: NodeProto, values: dict[str, bytes]) -> dict[str, bytes]:
        """Return the digests of what a node computes, and take note of its operator."""
        if node.op_type == "Identity":
            return {node.output[0]: values[node.input[0]]}
        attributes = sorted(self.attributes(node, values))
        if node.op_type == "Constant":
            return {node.output[0]: self.constant(held(node))}
        read = [values[name] for name in node.input]
        while read and not read[-1]:
            read.pop()
        kind = (domain(node.domain), node.op_type, self.definition(node))
        seen = [one if one in self.constants or not one else COMPUTED for one in read]
        self.alone[node.op_type, digest(kind, attributes, seen)] += 1
        own = secrets.token_bytes(16) if node.op_type in DRAWS else b""
        whole = digest(kind, attributes, read, own)
        return {name: digest(whole, n) for n, name in enumerate(node.output) if name}

    def attributes(self, node: NodeProto, values: dict[str, bytes]) -> Iterator[bytes]:
        """Yield a digest of each attribute, also of those that the node leaves at their default."""
        given = {one.name: one for one in node.attribute}
        if schema := schema_of(node, self.versions):
            given = {
                name: one.default_value for name, one in schema.attributes.items() if one.default_value.type
            } | given
        for name, attribute in given.items():
            yield digest(name, self.attribute(attribute, values))

    def attribute(self, attribute: AttributeProto, values: dict[str, bytes]) -> bytes:
        """Return a digest of a value, whatever the attribute is called."""
        from onnx import helper

        graphs = [attribute.g] if attribute.HasField("g") else list(attribute.graphs)
        if graphs:
            return digest([self.body(graph, values) for graph in graphs])
        tensors = [attribute.t] if attribute.HasField("t") else list(attribute.tensors)
        if tensors:
            return digest([self.constant(tensor) for tensor in tensors])
        return digest(helper.get_attribute_value(attribute))

    def body(self, graph: GraphProto, around: dict[str, bytes]) -> bytes:
        """Return a digest of a graph inside a node; its inputs count by their places."""
        given = {one.name: digest("given", len(around), n) for n, one in enumerate(graph.input)}
        values = self.graph(graph, around | given)
        return digest([values[one.name] for one in graph.output])

    def constant(self, tensor: TensorProto) -> bytes:
        """Return a digest of a tensor's type, shape and numbers."""
        from onnx import numpy_helper

        array = numpy_helper.to_array(tensor)
        numbers = list(array.reshape(-1)) if array.dtype == object else np.ascontiguousarray(array).tobytes()
        found = digest(tensor.data_type, tuple(tensor.dims), numbers)
        self.constants.add(found)
        return found

    def sparse(self, tensor: "SparseTensorProto") -> bytes:
        """Return a digest of a tensor of which only some numbers are stored."""
        found = digest(self.constant(tensor.values), self.constant(tensor.indices), tuple(tensor.dims))
        self.constants.add(found)
        return found

    def definition(self, node: NodeProto) -> bytes:
        """Return a digest of what the operator's schema says; of its domain's version where there is no schema.

        A version that only admits more types says the same; a new attribute counts with the node's attributes.
        """
        if schema := schema_of(node, self.versions):
            return _defined(schema.domain, schema.name, schema.since_version)
        return digest(self.versions.get(domain(node.domain), 0))


@cache
def _defined(owner: str, name: str, version: int) -> bytes:
    import onnx

    schema = onnx.defs.get_schema(name, version, owner)
    ends = [(one.name, one.description, str(one.option)) for one in (*schema.inputs, *schema.outputs)]
    return digest(schema.doc, ends)


def schema_of(node: NodeProto, versions: dict[str, int]) -> "onnx.defs.OpSchema | None":
    """Return the definition of a node's operator by the versions of the domains; None where ONNX has none."""
    import onnx

    owner = domain(node.domain)
    with suppress(onnx.defs.SchemaError):
        return onnx.defs.get_schema(node.op_type, versions.get(owner, 1), owner)
    return None


def held(node: NodeProto) -> TensorProto:
    """Return the tensor of a Constant node, which may hold plain numbers or texts."""
    from onnx import helper, numpy_helper

    (attribute,) = node.attribute
    if attribute.HasField("t"):
        tensor: TensorProto = attribute.t
        return tensor
    value = helper.get_attribute_value(attribute)
    dtype = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
    return numpy_helper.from_array(np.array(value, dtype.get(attribute.name, object)))


def _input(value: ValueInfoProto) -> bytes:
    """Return a digest of an input's name, type and fixed sizes."""
    kind = value.type.tensor_type
    sizes = [dim.dim_value for dim in kind.shape.dim] if kind.HasField("shape") else None
    return digest(value.name, kind.elem_type, sizes)


def domain(name: str) -> str:
    """Return a domain's name, as the default one has two."""
    return "" if name == "ai.onnx" else name


def digest(*parts: object) -> bytes:
    """Return what tells some values from others."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()
