"""Follows the sizes that an ONNX graph computes of its own tensors, as far as they are only picked and put in a row."""

import numpy as np

from core.onnx.linear_layers import attribute
from core.onnx.typing import NodeProto
from core.shrink.channels.couplings import Axis
from core.shrink.channels.trace import Trace


def follow(trace: Trace, node: NodeProto, names: list[str]) -> bool:
    """Follow sizes that the model computes, as far as they are only picked and put in a row; say whether that was so."""
    if node.op_type == "Shape":
        axes = trace.axes(names[0])
        start, end = attribute(node, "start", 0), attribute(node, "end", len(axes))
        trace.sizes[node.output[0]] = list(axes[start:end])
        return names[0] in trace.shapes
    if not any(name in trace.sizes for name in names):
        return False
    entries = _picked(trace, node, names)
    if entries is not None:
        trace.sizes[node.output[0]] = entries
    return entries is not None


def _picked(trace: Trace, node: NodeProto, names: list[str]) -> list[Axis | int] | None:
    first, numbers = trace.sizes.get(names[0]), [trace.integers[name] for name in names if name in trace.integers]
    if node.op_type == "Concat":
        parts = [trace.sizes.get(name) or _numbers(trace, name) for name in names]
        return None if None in parts else [entry for part in parts for entry in part or []]
    if first is None or len(numbers) < len(names) - 1:
        return None
    if node.op_type in ("Identity", "Cast", "Unsqueeze", "Squeeze"):
        return first
    if node.op_type == "Gather":
        return [first[place] for place in np.atleast_1d(numbers[0]).tolist()]
    if node.op_type == "Slice" and all(number.size == 1 for number in numbers):
        start, end = (int(number.item()) for number in numbers[:2])
        step = int(numbers[3].item()) if len(numbers) > 3 else 1
        return first[slice(max(start, -len(first)), min(end, len(first)), step)] if step > 0 else None
    return None


def _numbers(trace: Trace, name: str) -> list[Axis | int] | None:
    found = trace.integers.get(name)
    return None if found is None else [int(one) for one in np.atleast_1d(found)]
