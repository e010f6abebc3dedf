"""What convolutions and matrix products do to the channels that run through them: they sum over some and hand on others."""

from core.onnx.linear_layers import attribute
from core.onnx.typing import NodeProto
from core.shrink.channels.couplings import Axis, Value, still
from core.shrink.channels.trace import Trace


def conv(trace: Trace, node: NodeProto) -> Value | None:
    """Sum over the channels that come in, or filter each by itself; other groups of channels are not followed."""
    if node.input[1] not in trace.constants:
        return None
    couplings, given, weight = trace.couplings, trace.axes(node.input[0]), trace.axes(node.input[1])
    groups, seen, outputs = attribute(node, "group", 1), couplings.flat(given[1]), weight[0][0]
    if groups == 1:
        couplings.tie(seen, weight[1][0])
        trace.read.append((node.input[1], 1))
    elif groups == len(seen) == len(outputs):
        couplings.tie(seen, outputs)
        trace.grouped.append((node.output[0], weight[0]))
    else:
        return None
    couplings.fix(*weight[2:], *given[2:])
    if len(node.input) > 2 and node.input[2]:
        couplings.tie(couplings.flat(trace.axes(node.input[2])[0]), outputs)
    return (given[0], weight[0], *still(trace.shapes[node.output[0]][2:]))


def conv_transpose(trace: Trace, node: NodeProto) -> Value | None:
    """Hand on new channels; those that it reads stay, as no fit is known for them here."""
    if node.input[1] not in trace.constants or attribute(node, "group", 1) != 1:
        return None
    given, weight = trace.axes(node.input[0]), trace.axes(node.input[1])
    trace.couplings.fix(given[1], weight[0], *weight[2:], *given[2:])
    if len(node.input) > 2 and node.input[2]:
        trace.couplings.tie(trace.couplings.flat(trace.axes(node.input[2])[0]), weight[1][0])
    return (given[0], weight[1], *still(trace.shapes[node.output[0]][2:]))


def matmul(trace: Trace, node: NodeProto) -> Value | None:
    """Sum over the last axis of the first input, batch by batch."""
    left, right = (trace.axes(name) for name in node.input)
    if len(left) < 2 or len(right) < 2:
        return None
    _summed(trace, node, left[-1], right[-2], len(right) - 2)
    return (*trace.couplings.met(left[:-2], right[:-2]), left[-2], right[-1])


def gemm(trace: Trace, node: NodeProto) -> Value:
    """Sum over the inner axes of two matrices, either of them turned."""
    left, right = (trace.axes(name) for name in node.input[:2])
    left = left[::-1] if attribute(node, "transA", 0) else left
    turned = bool(attribute(node, "transB", 0))
    right = right[::-1] if turned else right
    _summed(trace, node, left[1], right[0], int(turned))
    axes = (left[0], right[1])
    return trace.couplings.met(axes, trace.axes(node.input[2])) if len(node.input) > 2 and node.input[2] else axes


def _summed(trace: Trace, node: NodeProto, one: Axis, other: Axis, place: int) -> None:
    """Tie two axes that a product sums over; only the second input may be a constant, and without one they are fixed."""
    trace.couplings.joined(one, other)
    if node.input[1] in trace.constants and node.input[0] not in trace.constants:
        trace.read.append((node.input[1], place))
    else:
        trace.couplings.fix(one, other)
