"""Float64 that a graph rounds to float32 only to widen it again, between steps that both compute in float64."""

from core.onnx.typing import ModelProto, NodeProto

FLOAT, DOUBLE = 1, 11
"""TensorProto's numbers of the two types."""


def keep_wide(model: ModelProto) -> None:
    """Hand float64 on as it is where it is rounded and widened again, in place; what is also answered in float32 stays so."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model).graph
    kinds = {v.name: v.type.tensor_type.elem_type for v in (*inferred.input, *inferred.value_info)}
    outputs = {value.name for value in model.graph.output}
    narrow = {
        node.output[0]: node.input[0]
        for node in model.graph.node
        if _casts(node, FLOAT) and kinds.get(node.input[0]) == DOUBLE
    }
    instead = {
        node.output[0]: narrow[node.input[0]]
        for node in model.graph.node
        if _casts(node, DOUBLE) and node.input[0] in narrow and node.output[0] not in outputs
    }
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = instead.get(name, name)
    _drop(model, set(instead) | set(narrow))


def _casts(node: NodeProto, kind: int) -> bool:
    return node.op_type == "Cast" and any(one.name == "to" and one.i == kind for one in node.attribute)


def _drop(model: ModelProto, loose: set[str]) -> None:
    """Remove conversions that nothing takes any more."""
    from core.onnx import weights

    taken = {value.name for value in model.graph.output}
    waiting = [model.graph]
    while waiting:
        graph = waiting.pop()
        for node in graph.node:
            taken.update(node.input)
            waiting += weights.branches(node)
        taken.update(value.name for value in graph.output)
    kept = [node for node in model.graph.node if node.output[0] not in loose or node.output[0] in taken]
    del model.graph.node[:]
    model.graph.node.extend(kept)
