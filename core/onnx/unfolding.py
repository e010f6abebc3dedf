"""Turns weights that nodes compute from constants back into plain tensors, so that a compact file can be worked on again.

By hand: onnxscript's constant folding gives the same bits in twice the time, and folds what is no weight too.
"""

from collections.abc import Iterable

from core.onnx import calibration, unread, weights
from core.onnx.typing import GraphProto, ModelProto, NodeProto, Samples, TensorProto

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


def unfold(model: ModelProto, operators: frozenset[str] = OPERATORS) -> set[str]:
    """Replace weights that ``operators`` compute by tensors of the same bits, drop what computed them, and return their names."""
    names: set[str] = set()
    for graph in list(weights.graphs(model.graph)):
        names |= _unfold(model, graph, operators)
    if names:
        unread.sweep(model, lambda node: node.op_type in operators or node.op_type == "Constant")
    return names


def _unfold(model: ModelProto, graph: GraphProto, operators: frozenset[str]) -> set[str]:
    chain = _chain(graph, _constants(model, graph), operators)
    made = {node.output[0] for node in chain}
    inside = {id(node) for node in chain}
    ends = (made & set(_read(graph, inside))) - _moved(chain)
    arrays = {name: array for name, array in _computed(model, graph, chain, ends).items() if array.dtype.kind == "f"}
    for node in [node for node in chain if node.output[0] in arrays]:
        graph.node.remove(node)
        graph.initializer.append(weights.tensor(arrays[node.output[0]], node.output[0]))
    return set(arrays)


def _moved(chain: list[NodeProto]) -> set[str]:
    """Return what the chain only cuts or shapes out of a tensor: several parts of one would take more bytes than it."""
    made = {name for node in chain for name in node.output}
    moved: set[str] = set()
    for node in chain:
        if node.op_type in MOVES and (node.input[0] not in made or node.input[0] in moved):
            moved.update(node.output)
    return moved


def _constants(model: ModelProto, graph: GraphProto) -> dict[str, TensorProto]:
    """Return the tensors that the nodes of a graph can see: its own and the main graph's, less what an input may replace."""
    found = {tensor.name: tensor for owner in (model.graph, graph) for tensor in owner.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            found[node.output[0]] = node.attribute[0].t
    for value in (*model.graph.input, *graph.input):
        found.pop(value.name, None)
    return found


def _chain(graph: GraphProto, constants: Iterable[str], operators: frozenset[str]) -> list[NodeProto]:
    known, chain = set(constants), []
    for node in graph.node:
        plain = node.op_type in operators and node.domain in ("", "ai.onnx")
        if plain and all(name in known for name in node.input if name):
            chain.append(node)
            known.update(node.output)
    return chain


def _read(graph: GraphProto, inside: set[int]) -> Iterable[str]:
    """Yield what is read from outside the chain: by other nodes, by their inner graphs, or as an answer."""
    yield from (value.name for value in graph.output)
    for node in [node for node in graph.node if id(node) not in inside]:
        yield from weights.reads(node)


def _computed(model: ModelProto, graph: GraphProto, chain: list[NodeProto], ends: set[str]) -> Samples:
    """Run the chain alone in ONNX Runtime."""
    if not ends:
        return {}
    from onnx import helper

    names = sorted(ends)
    constants = _constants(model, graph)
    used = dict.fromkeys(name for node in chain for name in node.input if name in constants)
    tensors = [_named(constants[name], name) for name in used]
    outputs = [helper.make_empty_tensor_value_info(name) for name in names]
    alone = helper.make_graph(chain, "weights", [], outputs, tensors)
    sealed = helper.make_model(alone, opset_imports=list(model.opset_import), ir_version=max(model.ir_version, 4))
    session = calibration.session(sealed.SerializeToString(), "all")
    return dict(zip(names, session.run(names, {}), strict=True))


def _named(tensor: TensorProto, name: str) -> TensorProto:
    if tensor.name == name:
        return tensor
    copy = type(tensor)()
    copy.CopyFrom(tensor)
    copy.name = name
    return copy
