"""The constant tensors of an ONNX model wherever they lie: initializers and Constant nodes, in the main graph, in branches and in loops.

By hand, on ONNX's own messages: onnx-ir 1.1.0 cannot read a model that answers maps, as classifiers of skl2onnx do.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from core.domain.errors import Refused, Trouble
from core.onnx.typing import GraphProto, ModelProto, NodeProto, TensorProto

LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators that multiply by their second input."""


@dataclass(frozen=True)
class Weight:
    """One constant of a graph: its name, the TensorProto with its values, the Constant node that holds it if one does, and its readers."""

    graph: GraphProto
    name: str
    tensor: TensorProto
    node: NodeProto | None
    readers: tuple[tuple[NodeProto, int], ...]
    """Nodes of the same graph, each with the place of the constant among its inputs; readers in inner graphs are not among them."""

    @property
    def array(self) -> np.ndarray:
        """The values, in a new array of the tensor's own dtype."""
        from onnx import numpy_helper

        return np.array(numpy_helper.to_array(self.tensor))

    @property
    def finite(self) -> bool:
        """Say whether all values are numbers and none is infinite, as those of a mask are."""
        return bool(np.isfinite(self.array).all())

    def put(self, array: np.ndarray) -> None:
        """Replace the values in place; the shape and dtype may change."""
        self.tensor.CopyFrom(tensor(array, self.name))

    def beside(self, name: str, array: np.ndarray) -> None:
        """Add another constant to the graph that holds this one."""
        self.graph.initializer.append(tensor(array, name))

    def make(self, nodes: list[NodeProto], tensors: list[TensorProto]) -> None:
        """Replace the constant by nodes that compute it under its own name from constants, before any other node runs."""
        graph = self.graph
        if self.node is None:
            graph.initializer.remove(self.tensor)
            for value in [value for value in graph.input if value.name == self.name]:
                graph.input.remove(value)
        else:
            graph.node.remove(self.node)
        graph.initializer.extend(tensors)
        rest = list(graph.node)
        del graph.node[:]
        graph.node.extend([*nodes, *rest])


Arrays = list[tuple[Weight, np.ndarray]]
"""New values of some constants."""
Rule = Callable[[GraphProto, NodeProto, dict[str, Weight]], list[NodeProto] | None]
"""From a graph, one of its nodes and the constants that the node can see, its graph's own and those around it, to the nodes instead."""


def tensor(array: np.ndarray, name: str) -> TensorProto:
    """Return an array as a tensor of ONNX."""
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(array, order="C"), name)


def weights(model: ModelProto, least: int = 1) -> list[Weight]:
    """Return the constants of floats with at least ``least`` values, in the order of the file; those that a graph's input may override are left out."""
    import onnx

    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)
    return [
        weight
        for graph in graphs(model.graph)
        for weight in _constants(graph, model.ir_version)
        if weight.tensor.data_type in floats and int(np.prod(weight.tensor.dims)) >= least
    ]


def tables(model: ModelProto, least: int, purpose: str) -> list[Weight]:
    """Return the finite weights of two dimensions or more with at least ``least`` values. Raises Refused where there is none to ``purpose``."""
    found = [weight for weight in weights(model, least) if len(weight.tensor.dims) > 1 and weight.finite]
    if not found:
        raise Refused(
            f"No float tensor has two or more dimensions and at least {least} weights, so there is nothing to {purpose}.",
            "Choose another technique, or compress the file before it is quantized.",
        )
    return found


def unreached(model: ModelProto, least: int) -> Trouble | None:
    """Return what to say where layers with ``least`` weights lie in branches or loops, for techniques that reach the main graph alone."""
    held = {weight.name for weight in weights(model, least)}
    inner = [node for graph in graphs(model.graph) if graph is not model.graph for node in graph.node]
    layers = list(dict.fromkeys(n.input[1] for n in inner if n.op_type in LAYERS and n.input[1] in held))
    if not layers:
        return None
    return Trouble(
        Refused.kind,
        f"The layers are inside branches or loops, which this technique does not reach: {', '.join(layers[:4])}.",
        "Choose a technique that reaches weights everywhere: float16, integer weights, codebooks, or prune by magnitude.",
    )


def kept(names: str, model: ModelProto) -> set[str]:
    """Return the weights that are named with commas between them. Raises Refused for one that the model does not have."""
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    there = [weight.name for weight in weights(model)] if wanted else []
    if unknown := wanted - set(there):
        raise Refused(
            f"No weight is called {', '.join(sorted(unknown))}.", f"Weights that there are: {', '.join(there[:20])}."
        )
    return wanted


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """Yield a graph and those inside the attributes of its nodes."""
    yield graph
    for node in graph.node:
        for inner in branches(node):
            yield from graphs(inner)


def branches(node: NodeProto) -> Iterator[GraphProto]:
    """Yield the graphs in the attributes of a node."""
    for attribute in node.attribute:
        yield from (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs)


def nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """Yield the nodes of a graph and of those inside them."""
    return (node for each in graphs(graph) for node in each.node)


def copied(model: ModelProto) -> ModelProto:
    """Return a copy that can be changed."""
    copy = type(model)()
    copy.CopyFrom(model)
    return copy


def rewrite(model: ModelProto, rule: Rule) -> int:
    """Put what ``rule`` returns in the place of each node, inner graphs first, and return how many nodes it replaced; None keeps one."""
    return _rewrite(model.graph, model.ir_version, {}, rule)


def uses(model: ModelProto) -> Counter[str]:
    """Count how often each name is read by a node or handed out by a graph, anywhere in the model."""
    read = Counter(value.name for value in model.graph.output)
    for node in model.graph.node:
        read.update(reads(node))
    return read


def reads(node: NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, those of its branches included."""
    yield from (name for name in node.input if name)
    for branch in branches(node):
        yield from (value.name for value in branch.output)
        for inner in branch.node:
            yield from reads(inner)


def tidy(model: ModelProto) -> None:
    """Drop the lists of shapes, which exporters leave stale and any reader finds anew, and before IR 4 weights among the inputs."""
    drop_shapes(model)
    held = {tensor.name for tensor in model.graph.initializer}
    for value in [value for value in model.graph.input if value.name in held and model.ir_version < 4]:
        model.graph.input.remove(value)


def drop_shapes(model: ModelProto) -> None:
    """Drop the lists of shapes."""
    for graph in graphs(model.graph):
        del graph.value_info[:]


def names(model: ModelProto) -> set[str]:
    """Return every name of a value in the model, so that a new one can be chosen beside them."""
    found: set[str] = set()
    for graph in graphs(model.graph):
        for values in (graph.input, graph.output, graph.initializer, graph.value_info):
            found.update(value.name for value in values)
        for node in graph.node:
            found.update((*node.input, *node.output))
    return found


def _rewrite(graph: GraphProto, ir_version: int, around: dict[str, Weight], rule: Rule) -> int:
    seen = {**around, **{weight.name: weight for weight in _constants(graph, ir_version)}}
    done, after = 0, list[NodeProto]()
    for node in graph.node:
        for inner in branches(node):
            done += _rewrite(inner, ir_version, seen, rule)
        nodes = rule(graph, node, seen)
        done += nodes is not None
        after.extend([node] if nodes is None else nodes)
    del graph.node[:]
    graph.node.extend(after)
    return done


def _constants(graph: GraphProto, ir_version: int) -> Iterator[Weight]:
    overridable = {value.name for value in graph.input} if ir_version >= 4 else set()
    readers: dict[str, list[tuple[NodeProto, int]]] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            readers.setdefault(name, []).append((node, place))
    for tensor in list(graph.initializer):
        if tensor.name not in overridable:
            yield Weight(graph, tensor.name, tensor, None, tuple(readers.get(tensor.name, ())))
    for node in list(graph.node):
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            name = node.output[0]
            yield Weight(graph, name, node.attribute[0].t, node, tuple(readers.get(name, ())))
