"""Gives every reader of a repeated tensor a copy of its own, so that one may lose places which another keeps."""

from core.onnx import weights
from core.onnx.names import FreshNames
from core.onnx.typing import ModelProto, NodeProto

VIEWS = ("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze")
"""Operators that hand a repeated tensor on."""


def part(model: ModelProto) -> None:
    """Copy each Expand of the main graph, with the views behind it, for each node that reads it."""
    names = FreshNames.of(model)
    while node := _shared(model):
        readers = [
            (one, place) for one in model.graph.node for place, name in enumerate(one.input) if name == node.output[0]
        ]
        for reader, place in readers[1:]:
            copy = type(node)()
            copy.CopyFrom(node)
            copy.name, copy.output[0] = "", names.like(node.output[0], "copy")
            reader.input[place] = copy.output[0]
            model.graph.node.insert(list(model.graph.node).index(node) + 1, copy)


def _shared(model: ModelProto) -> NodeProto | None:
    """Return the last node with several readers that repeats a tensor or views a repeated one, if there is any."""
    read, here, repeated = weights.uses(model), set[str](), list[NodeProto]()
    readers = [name for node in model.graph.node for name in node.input]
    for node in model.graph.node:
        if node.op_type == "Expand" or (node.op_type in VIEWS and node.input[0] in here):
            here.update(node.output)
            repeated.append(node)
    several = [n for n in repeated if read[n.output[0]] == readers.count(n.output[0]) > 1]
    return several[-1] if several else None
