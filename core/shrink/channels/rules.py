"""What each ONNX operator does to the channels that run through it: hands them on, ties them, sums over them, or stops them."""

from collections.abc import Callable

import numpy as np

from core.onnx import weights
from core.onnx.linear_layers import attribute
from core.onnx.typing import NodeProto
from core.shrink.channels import products, sizes
from core.shrink.channels.couplings import Axis, Value, still
from core.shrink.channels.trace import Trace

Rule = Callable[[Trace, NodeProto], Value | None]
"""From what is known and a node to the axes of its output; None where the rule does not hold for the node."""


def follow(trace: Trace, node: NodeProto) -> None:
    """Take one node into account."""
    names = [name for name in node.input if name]
    captured = _captured(node)
    if node.op_type == "Constant" or (not captured and sizes.follow(trace, node, names)):
        return
    rule = RULES.get(node.op_type) if node.domain in ("", "ai.onnx") and not any(node.output[1:]) else None
    known = all(name in trace.shapes for name in [*names, *node.output[:1]])
    computed = any(name in trace.sizes for name in (names[:1] if node.op_type in SHAPED else names))
    axes = rule(trace, node) if rule and known and not captured and not computed else None
    if axes is None:
        trace.give_up(node, [*names, *captured])
    else:
        trace.values[node.output[0]] = axes


def _captured(node: NodeProto) -> list[str]:
    """Return what the graphs inside a node read."""
    inner = [graph for a in node.attribute for graph in (*([a.g] if a.HasField("g") else []), *a.graphs)]
    return [name for one in inner for each in weights.nodes(one) for name in each.input]


def _out(trace: Trace, node: NodeProto) -> tuple[int, ...]:
    return trace.shapes[node.output[0]]


def _pointwise(trace: Trace, node: NodeProto) -> Value:
    axes = trace.axes(node.input[0])
    for name in node.input[1:]:
        axes = trace.couplings.met(axes, trace.axes(name)) if name else axes
    return axes


def _first(trace: Trace, node: NodeProto) -> Value | None:
    """Hand on the first input; the others are numbers."""
    return trace.axes(node.input[0]) if _out(trace, node) == trace.shapes[node.input[0]] else None


def _slope(trace: Trace, node: NodeProto) -> Value:
    return trace.couplings.met(trace.axes(node.input[0]), trace.axes(node.input[1]))


def _by_channel(trace: Trace, node: NodeProto) -> Value:
    """Normalise each channel by numbers of its own."""
    given = trace.axes(node.input[0])
    channels = trace.couplings.flat(given[1])
    for name in node.input[1:]:
        trace.couplings.tie(trace.couplings.flat(trace.axes(name)[0]), channels)
    return (given[0], (channels,), *given[2:])


def _pool(trace: Trace, node: NodeProto) -> Value:
    given = trace.axes(node.input[0])
    trace.couplings.fix(*given[2:])
    return (*given[:2], *still(_out(trace, node)[2:]))


def _resized(trace: Trace, node: NodeProto) -> Value | None:
    """Pad or resize other axes than the first two."""
    given, out = trace.axes(node.input[0]), _out(trace, node)
    named = len(node.input) > 3 and bool(node.input[3])
    partly = node.op_type == "Pad" or attribute(node, "axes", None) is not None
    if (named and partly) or out[:2] != trace.shapes[node.input[0]][:2] or len(out) < 3:
        return None
    trace.couplings.fix(*given[2:])
    axes = (*given[:2], *still(out[2:]))
    if named:
        _named(trace, node, 3, axes)
    return axes


def _reshape(trace: Trace, node: NodeProto) -> Value:
    name, out = node.output[0], _out(trace, node)
    axes, split = trace.couplings.regrouped(trace.axes(node.input[0]), out, name in trace.inner)
    trace.splits += [(name, split)] if split else []
    if node.op_type == "Reshape":
        _named(trace, node, 1, axes)
    return axes


def _expand(trace: Trace, node: NodeProto) -> Value:
    """Repeat axes of one place: the copies can be cut like channels."""
    fresh = trace.couplings.fresh(_out(trace, node))
    given = trace.axes(node.input[0])
    axes = trace.couplings.met(given, fresh)
    _named(trace, node, 1, axes)
    return axes


def _named(trace: Trace, node: NodeProto, place: int, axes: Value) -> None:
    """Note a shape that names axes; what it says by a number that cannot be changed is fixed."""
    name = node.input[place]
    if name in trace.integers:
        trace.resized.append((node.output[0], place, list(axes)))
        return
    said = trace.sizes.get(name, [1] * len(axes))
    for entry, axis in zip(said, axes, strict=True):
        same = isinstance(entry, tuple) and _same(entry, axis)
        if not same and entry not in (-1, 0):
            trace.couplings.fix(axis, *([entry] if isinstance(entry, tuple) else []))


def _same(one: Axis, other: Axis) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def _transpose(trace: Trace, node: NodeProto) -> Value:
    given = trace.axes(node.input[0])
    return tuple(given[place] for place in attribute(node, "perm", [*range(len(given))][::-1]))


def _concat(trace: Trace, node: NodeProto) -> Value:
    parts = [trace.axes(name) for name in node.input]
    axis = attribute(node, "axis", 0) % len(parts[0])
    axes = list(parts[0])
    for part in parts[1:]:
        axes = [a if place == axis else trace.couplings.joined(a, part[place]) for place, a in enumerate(axes)]
    axes[axis] = (np.concatenate([trace.couplings.flat(part[axis]) for part in parts]),)
    return tuple(axes)


def _gather(trace: Trace, node: NodeProto) -> Value:
    given, indices = trace.axes(node.input[0]), trace.shapes[node.input[1]]
    axis = attribute(node, "axis", 0) % len(given)
    trace.couplings.fix(given[axis], *trace.axes(node.input[1]))
    return (*given[:axis], *still(indices), *given[axis + 1 :])


def _slice(trace: Trace, node: NodeProto) -> Value | None:
    given = trace.axes(node.input[0])
    named = trace.integers.get(node.input[3]) if len(node.input) > 3 else None
    if named is None:
        return None
    out, axes = _out(trace, node), list(given)
    for axis in named.tolist():
        trace.couplings.fix(given[axis])
        axes[axis] = still(out)[axis]
    return tuple(axes)


def _along(trace: Trace, node: NodeProto) -> Value:
    """Normalise along an axis, or along it and those behind it: what is along them stays."""
    given = trace.axes(node.input[0])
    otherwise = -1 if node.op_type == "LayerNormalization" else min(1, len(given) - 1)
    trace.couplings.fix(*given[attribute(node, "axis", otherwise) % len(given) :])
    for name in node.input[1:]:
        trace.couplings.fix(*(trace.axes(name) if name else ()))
    return given


def _reduce(trace: Trace, node: NodeProto) -> Value | None:
    given = trace.axes(node.input[0])
    asked: list[int] | None = attribute(node, "axes", None)
    if asked is None and len(node.input) > 1:
        found = trace.integers.get(node.input[1])
        asked = None if found is None else found.tolist()
    if not asked:
        return None
    gone = {axis % len(given) for axis in asked}
    trace.couplings.fix(*(given[axis] for axis in gone))
    if attribute(node, "keepdims", 1):
        return tuple(still((1,))[0] if place in gone else axis for place, axis in enumerate(given))
    return tuple(axis for place, axis in enumerate(given) if place not in gone)


POINTWISE = (
    "Abs", "Add", "And", "BitShift", "Cast", "Ceil", "Celu", "Cos", "Div", "Elu", "Equal", "Erf", "Exp", "Floor",
    "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Less", "LessOrEqual",
    "Log", "Max", "Mean", "Min", "Mish", "Mul", "Neg", "Not", "Or", "Pow", "Reciprocal", "Relu", "Round", "Selu",
    "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tanh", "ThresholdedRelu",
    "Where", "Xor"
)  # fmt: skip

SHAPED = ("Expand", "Reshape", "Resize")
"""Operators that may be told a shape that the model computes, by another input than the first."""

RULES: dict[str, Rule] = {
    **dict.fromkeys(POINTWISE, _pointwise),
    **dict.fromkeys(("Clip", "Dropout"), _first),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "LpPool", "MaxPool"), _pool),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), _by_channel),
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), _reshape),
    **dict.fromkeys(("LayerNormalization", "LogSoftmax", "Softmax"), _along),
    **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), _reduce),
    **dict.fromkeys(("Pad", "Resize"), _resized),
    "Concat": _concat,
    "Conv": products.conv,
    "ConvTranspose": products.conv_transpose,
    "Expand": _expand,
    "Gather": _gather,
    "Gemm": products.gemm,
    "MatMul": products.matmul,
    "PRelu": _slope,
    "Slice": _slice,
    "Transpose": _transpose,
}
