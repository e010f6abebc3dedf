"""Windows of pooling and convolution that are larger than what they slide over, where ONNX knows no answer and engines give their own.

ONNX rounds the number of places down (operators MaxPool and Conv, output shape); ONNX Runtime 1.31.1 divides towards zero,
finds one place where there is none, and reads what lies there.
"""

from collections.abc import Sequence

from core.onnx import weights
from core.onnx.typing import AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto

SLIDING = ("MaxPool", "AveragePool", "LpPool", "Conv", "ConvInteger", "QLinearConv")
Shapes = dict[str, tuple[int, ...]]


def slide(model: ModelProto) -> bool:
    """Say whether the main graph slides windows over sizes that are free."""
    free = any(not dim.dim_value for value in model.graph.input for dim in value.type.tensor_type.shape.dim[1:])
    return free and any(node.op_type in SLIDING and not node.domain for node in model.graph.node)


def too_large(model: ModelProto, inputs: Shapes) -> str:
    """Name the first node whose window does not fit where the model gets ``inputs`` of these shapes; empty where all fit or it cannot be told.

    ``model`` may be without its weights.
    """
    import onnx

    model = weights.copied(model)
    for value in model.graph.input:
        if value.name in inputs:
            _fix(value, inputs[value.name])
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        known = _known(onnx.shape_inference.infer_shapes(model, data_prop=True).graph)
    except Exception:
        return ""
    held = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    return next((_named(node) for node in model.graph.node if _is_too_large(node, known, held)), "")


def _fix(value: ValueInfoProto, shape: tuple[int, ...]) -> None:
    for dim, size in zip(value.type.tensor_type.shape.dim, shape, strict=False):
        dim.dim_value = size


def _known(graph: GraphProto) -> Shapes:
    """Return the shapes that are numbers throughout."""
    found: Shapes = {}
    for value in (*graph.input, *graph.value_info):
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            found[value.name] = tuple(dim.dim_value for dim in dims)
    return found


def _is_too_large(node: NodeProto, known: Shapes, held: Shapes) -> bool:
    if node.op_type not in SLIDING or node.domain or node.input[0] not in known:
        return False
    given: dict[str, AttributeProto] = {attribute.name: attribute for attribute in node.attribute}
    if "auto_pad" in given and given["auto_pad"].s.startswith(b"SAME"):
        return False
    room, kernel = known[node.input[0]][2:], _ints(given, "kernel_shape") or held.get(_weight(node), ())[2:]
    if not kernel or len(kernel) != len(room) or 0 in room:
        return False
    pads, dilations = _ints(given, "pads") or (0,) * 2 * len(room), _ints(given, "dilations") or (1,) * len(room)
    spans = [(size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True)]
    wide = [size + pads[n] + pads[n + len(room)] for n, size in enumerate(room)]
    # Rounded up, a window that reaches over the end by less than a step has a place still.
    over = _ints(given, "strides") or (1,) * len(room) if "ceil_mode" in given and given["ceil_mode"].i else ()
    spare = [step - 1 for step in over] or [0] * len(room)
    return any(span > size + more for span, size, more in zip(spans, wide, spare, strict=True))


def _weight(node: NodeProto) -> str:
    place = 3 if node.op_type == "QLinearConv" else 1
    return str(node.input[place]) if len(node.input) > place else ""


def _ints(given: dict[str, AttributeProto], name: str) -> Sequence[int]:
    return tuple(given[name].ints) if name in given else ()


def _named(node: NodeProto) -> str:
    return f"{node.op_type} {(node.name or node.output[0])[:60]!r}"
