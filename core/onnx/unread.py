"""What nothing in a model needs: nodes that are idle, constants that nothing reads, operator sets of no node.

By hand: onnx-ir 1.1.0 leaves the same of a model, but its import costs a one-shot child four clean-ups, and it drops
sparse initializers without a word (docs/decisions/onnx-ir.md; tests/test_onnx_ir.py holds both to the same result).
"""

from collections import Counter
from collections.abc import Callable

from core.onnx import weights
from core.onnx.typing import GraphProto, ModelProto, NodeProto

Idle = Callable[[NodeProto], bool]
"""Says of a node that nothing reads whether it may go."""


def sweep(model: ModelProto, idle: Idle = lambda node: True) -> None:
    """Drop nodes that nothing reads and that are ``idle``, and tensors that nothing reads but those of the inputs."""
    _sweep(model.graph, weights.uses(model), idle)


def _sweep(graph: GraphProto, read: Counter[str], idle: Idle) -> None:
    # Nodes stand in the order in which they run, so that from the last on each has lost its idle readers already.
    for place in reversed(range(len(graph.node))):
        node = graph.node[place]
        for inner in weights.branches(node):
            _sweep(inner, read, idle)
        if idle(node) and not any(read[name] for name in node.output if name):
            read.subtract(weights.reads(node))
            del graph.node[place]
    given = {value.name for value in graph.input}
    for tensor in [tensor for tensor in graph.initializer if not read[tensor.name] and tensor.name not in given]:
        graph.initializer.remove(tensor)


def drop_constants(model: ModelProto) -> None:
    """Remove the constants that nothing reads, and where they are inputs too, those inputs."""
    read = weights.uses(model)
    for graph in weights.graphs(model.graph):
        held = {tensor.name for tensor in graph.initializer}
        for value in [value for value in graph.input if value.name in held and not read[value.name]]:
            graph.input.remove(value)
    sweep(model, lambda node: node.op_type == "Constant")


def drop_domains(model: ModelProto) -> None:
    """Drop operator sets that no node uses; the default one stays, and all do in a model with functions."""
    used = {node.domain for node in weights.nodes(model.graph)} | {"", "ai.onnx"}
    for one in [one for one in model.opset_import if one.domain not in used and not model.functions]:
        model.opset_import.remove(one)
