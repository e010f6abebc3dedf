"""Constants that several branches of a model hold, as constant folding leaves them: stored once, in the main graph, where all branches see them."""

from core.onnx import weights
from core.onnx.typing import GraphProto, ModelProto, TensorProto

LEAST = 1024
"""Bytes from which a copy is worth taking out."""


def share(model: ModelProto) -> None:
    """Let branches and loops read one tensor of the main graph where they hold equal ones."""
    held = [(graph, tensor) for graph in weights.graphs(model.graph) for tensor in graph.initializer]
    given = {value.name for graph in weights.graphs(model.graph) for value in graph.input}
    large = [(g, t) for g, t in held if t.ByteSize() >= LEAST and t.name not in given]
    alike: dict[bytes, list[tuple[GraphProto, TensorProto]]] = {}
    for graph, tensor in large:
        alike.setdefault(_content(tensor), []).append((graph, tensor))
    for copies in [copies for copies in alike.values() if any(graph is not model.graph for graph, _ in copies[1:])]:
        _keep_one(model, copies)


def _keep_one(model: ModelProto, copies: list[tuple[GraphProto, TensorProto]]) -> None:
    """Move the first copy into the main graph, and let the readers of the others in inner graphs read it."""
    graph, kept = copies[0]
    name = kept.name
    if graph is not model.graph:
        model.graph.initializer.append(kept)
        graph.initializer.remove(kept)
    for inner, tensor in copies[1:]:
        if inner is model.graph:
            continue
        for node in weights.nodes(inner):
            node.input[:] = [name if read == tensor.name else read for read in node.input]
        if tensor.name not in {value.name for value in inner.output}:
            inner.initializer.remove(tensor)


def _content(tensor: TensorProto) -> bytes:
    bare = type(tensor)()
    bare.CopyFrom(tensor)
    bare.name = bare.doc_string = ""
    return bytes(bare.SerializeToString(deterministic=True))
