"""Turns weights that nodes compute from constants back into plain tensors, so that a compact file can be worked on again."""

from collections.abc import Callable, Iterable
from typing import Any

from core.onnx import weights

OPERATORS = frozenset(
    (
        "Add",
        "Cast",
        "ConstantOfShape",
        "CumSum",
        "Div",
        "Gather",
        "Mod",
        "Mul",
        "Reshape",
        "ScatterElements",
        "Slice",
        "Sub",
    )
)
"""What compact weights are made of; other operators on constants stay as they are."""
MOVES = ("Reshape", "Slice")


def unfold(model: Any, operators: frozenset[str] = OPERATORS) -> set[str]:
    """Replace weights that ``operators`` compute by tensors of the same bits, drop what computed them, and return their names."""
    names: set[str] = set()
    for graph in list(weights.graphs(model.graph)):
        names |= _unfold(model, graph, operators)
    if names:
        sweep(model, lambda node: node.op_type in operators or node.op_type == "Constant")
    return names


def _unfold(model: Any, graph: Any, operators: frozenset[str]) -> set[str]:
    chain = _chain(graph, _constants(model, graph), operators)
    made = {node.output[0] for node in chain}
    inside = {id(node) for node in chain}
    ends = (made & set(_read(graph, inside))) - _moved(chain)
    arrays = {name: array for name, array in _computed(model, graph, chain, ends).items() if array.dtype.kind == "f"}
    for node in [node for node in chain if node.output[0] in arrays]:
        graph.node.remove(node)
        graph.initializer.append(_tensor(node.output[0], arrays))
    return set(arrays)


def _moved(chain: list[Any]) -> set[str]:
    """Return what the chain only cuts or shapes out of a tensor: several parts of one would take more bytes than it."""
    made = {name for node in chain for name in node.output}
    moved: set[str] = set()
    for node in chain:
        if node.op_type in MOVES and (node.input[0] not in made or node.input[0] in moved):
            moved.update(node.output)
    return moved


def _tensor(name: str, arrays: dict[str, Any]) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(arrays[name], name)


def _constants(model: Any, graph: Any) -> dict[str, Any]:
    """Return the tensors that the nodes of a graph can see: its own and the main graph's, less what an input may replace."""
    found = {tensor.name: tensor for owner in (model.graph, graph) for tensor in owner.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            found[node.output[0]] = node.attribute[0].t
    for value in (*model.graph.input, *graph.input):
        found.pop(value.name, None)
    return found


def _chain(graph: Any, constants: Iterable[str], operators: frozenset[str]) -> list[Any]:
    known, chain = set(constants), []
    for node in graph.node:
        plain = node.op_type in operators and node.domain in ("", "ai.onnx")
        if plain and all(name in known for name in node.input if name):
            chain.append(node)
            known.update(node.output)
    return chain


def _read(graph: Any, inside: set[int]) -> Iterable[str]:
    """Yield what is read from outside the chain: by other nodes, by their inner graphs, or as an answer."""
    yield from (value.name for value in graph.output)
    for node in graph.node:
        if id(node) not in inside:
            yield from node.input
        for inner in (a.g for a in node.attribute if a.HasField("g")):
            for deeper in weights.graphs(inner):
                yield from (name for each in deeper.node for name in each.input)


def _computed(model: Any, graph: Any, chain: list[Any], ends: set[str]) -> dict[str, Any]:
    """Run the chain alone in ONNX Runtime."""
    if not ends:
        return {}
    import onnxruntime
    from onnx import helper

    names = sorted(ends)
    constants = _constants(model, graph)
    used = dict.fromkeys(name for node in chain for name in node.input if name in constants)
    tensors = [_named(constants[name], name) for name in used]
    outputs = [helper.make_empty_tensor_value_info(name) for name in names]
    alone = helper.make_graph(chain, "weights", [], outputs, tensors)
    sealed = helper.make_model(alone, opset_imports=list(model.opset_import), ir_version=max(model.ir_version, 4))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(sealed.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, {}), strict=True))


def _named(tensor: Any, name: str) -> Any:
    if tensor.name == name:
        return tensor
    copy = type(tensor)()
    copy.CopyFrom(tensor)
    copy.name = name
    return copy


def sweep(model: Any, idle: Callable[[Any], bool]) -> None:
    """Drop tensors that nothing reads, and nodes that nothing reads and that are ``idle``, again until all are read."""
    while True:
        read = {value.name for graph in weights.graphs(model.graph) for value in graph.output}
        for graph in weights.graphs(model.graph):
            read.update(name for node in graph.node for name in node.input)
        if not sum(_drop(graph, read, idle) for graph in weights.graphs(model.graph)):
            return


def _drop(graph: Any, read: set[str], idle: Callable[[Any], bool]) -> int:
    inputs = {value.name for value in graph.input}
    tensors = [tensor for tensor in graph.initializer if tensor.name not in read | inputs]
    nodes = [node for node in graph.node if idle(node) and not read & set(node.output)]
    for tensor in tensors:
        graph.initializer.remove(tensor)
    for node in nodes:
        graph.node.remove(node)
    return len(tensors) + len(nodes)
