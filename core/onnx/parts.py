"""The part of an ONNX model that some of its values need, so that nothing else is computed for them."""

from collections.abc import Iterator, MutableSequence

from core.onnx import weights
from core.onnx.typing import GraphProto, ModelProto, NodeProto


def leading_to(model: ModelProto, names: list[str]) -> ModelProto:
    """Return a copy of a model that answers the named values and holds no node or tensor of the main graph which they do not need.

    All inputs stay. Where inputs alone are named the copy is whole, for a model without answers does not load.
    """
    from onnx import helper

    part = weights.copied(model)
    given = {value.name for value in part.graph.input}
    asked = [name for name in names if name not in given]
    if not asked:
        return part
    needed = _needed(part.graph, set(asked))
    _keep(part.graph.node, [not needed.isdisjoint(node.output) for node in part.graph.node])
    _keep(part.graph.initializer, [tensor.name in needed | given for tensor in part.graph.initializer])
    _keep(part.graph.output, [value.name in asked for value in part.graph.output])
    known = {value.name for value in part.graph.output}
    part.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in asked if name not in known)
    return part


def _needed(graph: GraphProto, needed: set[str]) -> set[str]:
    """Return the names with all that their nodes read; nodes stand in the order in which they run."""
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            needed = needed.union(name for name in reads(node))
    return needed


def reads(node: NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, those of its branches included."""
    yield from (name for name in node.input if name)
    for branch in weights.branches(node):
        for graph in weights.graphs(branch):
            yield from (value.name for value in graph.output)
            yield from (name for inner in graph.node for name in inner.input if name)


def _keep(entries: MutableSequence[object], kept: list[bool]) -> None:
    for place in reversed([place for place, stays in enumerate(kept) if not stays]):
        del entries[place]
