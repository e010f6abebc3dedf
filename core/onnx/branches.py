"""Equal constants, as exporters write them and constant folding leaves them in branches: stored once, where all their readers see them.

By hand, for the reasons of ``unread``: of the same tensors, onnx-ir 1.1.0 also lifts those out of branches that nothing else holds.
"""

from collections.abc import Iterable

from core.onnx import weights
from core.onnx.typing import GraphProto, ModelProto, TensorProto

LEAST = 1024
"""Bytes from which a copy is worth taking out."""
Held = tuple[GraphProto, TensorProto]
"""A tensor and the graph that holds it."""


def share(model: ModelProto) -> None:
    """Let branches and loops read one tensor of the main graph where they hold equal ones."""
    held = [(graph, tensor) for graph in weights.graphs(model.graph) for tensor in graph.initializer]
    for (graph, kept), *others in _alike(model, [(g, t) for g, t in held if t.ByteSize() >= LEAST]):
        if inner := [(other, tensor) for other, tensor in others if other is not model.graph]:
            if graph is not model.graph:
                model.graph.initializer.append(kept)
                graph.initializer.remove(kept)
            _read_instead(inner, kept.name)


def merge(model: ModelProto) -> None:
    """Let readers of equal tensors of the main graph read the first of them."""
    for (_, kept), *others in _alike(model, [(model.graph, tensor) for tensor in model.graph.initializer]):
        _read_instead(others, kept.name)


def _alike(model: ModelProto, held: Iterable[Held]) -> list[list[Held]]:
    """Return tensors by their content; those that a graph's input may override are left out."""
    given = {value.name for graph in weights.graphs(model.graph) for value in graph.input}
    alike: dict[bytes, list[Held]] = {}
    for graph, tensor in held:
        if tensor.name not in given:
            alike.setdefault(_content(tensor), []).append((graph, tensor))
    return list(alike.values())


def _read_instead(copies: list[Held], name: str) -> None:
    """Let the readers of some copies read another tensor, and drop the copies that are no answers."""
    for graph, tensor in copies:
        for node in weights.nodes(graph):
            node.input[:] = [name if read == tensor.name else read for read in node.input]
        if tensor.name not in {value.name for value in graph.output}:
            graph.initializer.remove(tensor)


def _content(tensor: TensorProto) -> bytes:
    bare = type(tensor)()
    bare.CopyFrom(tensor)
    bare.name = bare.doc_string = ""
    return bytes(bare.SerializeToString(deterministic=True))
