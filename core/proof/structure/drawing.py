"""Reads a graph as operators and what each reads, with names kept beside and never told apart by them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from core.onnx import weights
from core.onnx.typing import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto
from core.proof.network import COMPUTED, Reading, digest, domain, held, schema_of

WIDENING = ("Cast", "DequantizeLinear")
"""Operators on constants that make a weight of how it is stored."""


@dataclass(frozen=True)
class Stored:
    """A constant: what it is called, how its numbers are stored, and what tells it from others."""

    name: str
    kind: str
    digest: bytes
    tensor: TensorProto | None = None
    widened: tuple[NodeProto, tuple["Stored | None", ...]] | None = None
    """The operator that makes the numbers of what is stored, and its inputs."""

    @cached_property
    def array(self) -> np.ndarray | None:
        """The numbers as an operator takes them; None where ONNX's own evaluator does not know the way from what is stored."""
        from onnx import numpy_helper
        from onnx.reference import ReferenceEvaluator

        if self.tensor is not None:
            return numpy_helper.to_array(self.tensor)
        if self.widened is None:
            return None
        node, parts = self.widened
        try:
            named = zip(map(str, node.input), parts, strict=False)
            given: dict[str, Any] = {name: part.array for name, part in named if part}
            return np.asarray(next(iter(ReferenceEvaluator(node).run(None, given))))
        except Exception:
            return None


@dataclass(frozen=True)
class Made:
    """A value that an operator makes: the operator's place and which of its outputs."""

    place: int
    output: int


@dataclass(frozen=True)
class Given:
    """A value from outside: an input of the graph by place, or what a graph around it holds, by the order of use."""

    place: int
    around: bool = False


Source = Stored | Made | Given | None


@dataclass
class Node:
    """One operator: its definition, the digests and values of its attributes, and what it reads by place."""

    operator: str
    name: str
    definition: bytes
    attributes: dict[str, tuple[bytes, AttributeProto | None]]
    sources: tuple[Source, ...]
    outputs: tuple[str, ...]

    @cached_property
    def local(self) -> bytes:
        """What the operator is by itself: definition, attributes and constants."""
        seen = [one.digest if isinstance(one, Stored) else one and COMPUTED for one in self.sources]
        return digest(self.operator, self.definition, sorted((k, v[0]) for k, v in self.attributes.items()), repr(seen))


@dataclass
class Drawing:
    """A graph: operators in the order of the file, inputs and outputs, and what each output is."""

    inputs: tuple[ValueInfoProto, ...] = ()
    outputs: tuple[ValueInfoProto, ...] = ()
    nodes: list[Node] = field(default_factory=list)
    ends: tuple[Source, ...] = ()
    replaceable: tuple[str, ...] = ()

    @cached_property
    def readers(self) -> list[list[tuple[int, int, int]]]:
        """For each operator who reads it: the reader's place, the reader's slot, and which output it reads."""
        found: list[list[tuple[int, int, int]]] = [[] for _ in self.nodes]
        for place, node in enumerate(self.nodes):
            for slot, source in enumerate(node.sources):
                if isinstance(source, Made):
                    found[source.place].append((place, slot, source.output))
        return found

    @cached_property
    def order(self) -> list[int]:
        """The operators' places as one comes upon them from the outputs, which does not depend on the order of the file."""
        seen, order = set[int](), list[int]()
        for root in (*(one.place for one in self.ends if isinstance(one, Made)), *range(len(self.nodes))):
            self._walk(root, seen, order)
        return order

    def _walk(self, root: int, seen: set[int], order: list[int]) -> None:
        stack = [(root, False)]
        while stack:
            place, done = stack.pop()
            if done:
                order.append(place)
            elif place not in seen:
                seen.add(place)
                stack.append((place, True))
                behind = [one.place for one in self.nodes[place].sources if isinstance(one, Made)]
                stack += [(one, False) for one in reversed(behind) if one not in seen]


def drawn(model: ModelProto) -> Drawing:
    """Read a model whose weights are loaded; functions of its own count as what they stand for."""
    import onnx.inliner

    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    reading = Reading({domain(opset.domain): opset.version for opset in model.opset_import})
    return Pencil(reading).graph(model.graph)


def body(graph: GraphProto, versions: dict[str, int]) -> Drawing:
    """Read a graph inside an operator; what it reads from outside is told apart by the order of use."""
    return Pencil(Reading(dict(versions)), inner=True).graph(graph)


@dataclass
class Pencil:
    """What is known of values by name while one graph is read."""

    reading: Reading
    inner: bool = False
    known: dict[str, Source] = field(default_factory=lambda: {"": None})
    around: dict[str, Given] = field(default_factory=dict)

    def graph(self, graph: GraphProto) -> Drawing:
        """Read it."""
        stored = {tensor.name: tensor for tensor in graph.initializer}
        for tensor in graph.initializer:
            self.known[tensor.name] = self.constant(tensor, tensor.name)
        for sparse in graph.sparse_initializer:
            name = sparse.values.name
            self.known[name] = Stored(name, "sparse", self.reading.sparse(sparse), sparse.values)
        inputs = tuple(one for one in graph.input if one.name not in stored)
        self.known |= {one.name: Given(place) for place, one in enumerate(inputs)}
        drawing = Drawing(inputs, tuple(graph.output))
        drawing.replaceable = tuple(sorted(one.name for one in graph.input if one.name in stored))
        for node in graph.node:
            self.node(node, drawing)
        drawing.ends = tuple(self.source(one.name) for one in graph.output)
        return drawing

    def node(self, node: NodeProto, drawing: Drawing) -> None:
        """Read one operator, or what it only passes on or stores."""
        if node.op_type == "Identity":
            self.known[node.output[0]] = self.source(node.input[0])
            return
        if node.op_type == "Constant":
            self.known[node.output[0]] = self.constant(held(node), node.output[0])
            return
        sources = [self.source(name) for name in node.input]
        while sources and sources[-1] is None:
            sources.pop()
        attributes = dict(self.attributes(node))
        definition = self.reading.definition(node)
        if (
            node.op_type in WIDENING
            and not domain(node.domain)
            and all(isinstance(one, Stored | None) for one in sources)
        ):
            self.known[node.output[0]] = self.widened(node, sources, attributes)
            return
        operator = ".".join(filter(None, (domain(node.domain), node.op_type)))
        captured = tuple(self.source(name) for name in self.captured(node))
        made = Node(operator, node.name, definition, attributes, (*sources, *captured), tuple(node.output))
        self.known |= {name: Made(len(drawing.nodes), n) for n, name in enumerate(node.output) if name}
        drawing.nodes.append(made)

    def source(self, name: str) -> Source:
        """Return what a name stands for; one that nothing here makes comes from a graph around this one."""
        if name in self.known:
            return self.known[name]
        return self.around.setdefault(name, Given(len(self.around), around=True))

    def constant(self, tensor: TensorProto, name: str) -> Stored:
        """Read a constant."""
        from onnx import TensorProto as Types

        kind = Types.DataType.Name(tensor.data_type).lower()
        return Stored(
            name, {"float": "float32", "double": "float64"}.get(kind, kind), self.reading.constant(tensor), tensor
        )

    def widened(
        self, node: NodeProto, sources: list[Source], attributes: dict[str, tuple[bytes, AttributeProto | None]]
    ) -> Stored:
        """Read a weight that is stored in another type than the one it is used in."""
        parts = tuple(one if isinstance(one, Stored) else None for one in sources)
        (first, *_), said = parts, sorted((k, v[0]) for k, v in attributes.items())
        assert first is not None
        told = digest(node.op_type, said, [one and one.digest for one in parts])
        return Stored(first.name, first.kind, told, widened=(node, parts))

    def attributes(self, node: NodeProto) -> Iterable[tuple[str, tuple[bytes, AttributeProto | None]]]:
        """Yield the digest and the value of each attribute by name; graphs count by themselves, whatever they are given."""
        given = {one.name: one for one in node.attribute}
        schema = schema_of(node, self.reading.versions)
        defaults = {k: v.default_value for k, v in schema.attributes.items() if v.default_value.type} if schema else {}
        for name, attribute in (defaults | given).items():
            if attribute.HasField("g"):
                drawing = body(attribute.g, self.reading.versions)
                yield name, (whole(drawing), attribute)
            else:
                yield name, (self.reading.attribute(attribute, {}), attribute)

    def captured(self, node: NodeProto) -> list[str]:
        """Return what the graphs inside an operator read from this one, in the order of use."""
        if not any(attribute.HasField("g") for attribute in node.attribute):
            return []
        own = set(node.input)
        return [name for name in dict.fromkeys(weights.reads(node)) if name in self.known and name not in own]


def whole(drawing: Drawing) -> bytes:
    """Return a digest of all that a graph computes, by places and never by names."""
    found = upwards(drawing, [node.local for node in drawing.nodes])
    return digest(len(drawing.inputs), [told(one, found) for one in drawing.ends])


def told(source: Source, found: list[bytes]) -> object:
    """Return what a source is, with the digests of operators found so far."""
    match source:
        case Made(place, output):
            return found[place], output
        case Stored():
            return source.digest
        case Given(place, around):
            return "given", place, around
    return None


def upwards(drawing: Drawing, labels: list[bytes]) -> list[bytes]:
    """Return for each operator a digest of it and of all that it is computed from."""
    found: list[bytes] = []
    for node, label in zip(drawing.nodes, labels, strict=True):
        found.append(digest(label, [_above(one, found) for one in node.sources]))
    return found


def _above(source: Source, found: list[bytes]) -> object:
    return "constant" if isinstance(source, Stored) else told(source, found)


def downwards(drawing: Drawing, labels: list[bytes]) -> list[bytes]:
    """Return for each operator a digest of it and of all that is computed from it."""
    found = [b""] * len(drawing.nodes)
    ends: dict[int, list[tuple[int, int]]] = {}
    for n, end in enumerate(drawing.ends):
        if isinstance(end, Made):
            ends.setdefault(end.place, []).append((n, end.output))
    for place in reversed(range(len(drawing.nodes))):
        below = sorted((slot, output, found[reader]) for reader, slot, output in drawing.readers[place])
        found[place] = digest(labels[place], below, ends.get(place))
    return found
