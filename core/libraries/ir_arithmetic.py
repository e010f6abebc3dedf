"""The arithmetic of quantized OpenVINO models: in floats, which is the same on every processor, or in integers, which is faster.

OpenVINO goes over to 8-bit integers where a FakeQuantize has the levels of such a number, and its sums saturate on x86
processors without VNNI. A FakeQuantize of one level more, which the cut before it leaves unused, gives the same values
and has no integers: that travels in the file, as the options of the engine do not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.domain.transform import option

if TYPE_CHECKING:
    from openvino import Model, Node, Output

FLOATS, INTEGERS = "floats", "integers"
MORE = {15: 17, 16: 17, 255: 257, 256: 257}
"""Levels that mean integers, and those of a wider range that do not; one step fewer than these is a power of two, so that whole numbers stay whole."""


@dataclass(frozen=True)
class ArithmeticOptions:
    """Whether a quantized model keeps its integers."""

    arithmetic: str = option(
        FLOATS,
        "How a quantized model is computed: in floats, with the same answers on every processor; or in integers, "
        "which is faster, and answers otherwise without VNNI where int8 weights need all eight bits.",
        choices=(FLOATS, INTEGERS),
    )


def settle(model: "Model", arithmetic: str) -> None:
    """Keep the products of a model in floats if that was asked, in place."""
    if arithmetic == FLOATS:
        for body in bodies(model):
            for node in body.get_ordered_ops():
                if node.get_type_name() == "FakeQuantize" and node.get_attributes()["levels"] in MORE:
                    _widen(node)


def bodies(model: "Model") -> "Iterator[Model]":
    """Yield a model and the bodies of its branches and loops."""
    yield model
    for node in model.get_ordered_ops():
        if node.get_type_name() == "If":
            inner = [node.get_then_body(), node.get_else_body()]
        else:
            inner = [node.get_function()] if hasattr(node, "get_function") else []
        for body in inner:
            yield from bodies(body)


def _widen(node: "Node") -> None:
    """Replace a FakeQuantize by one of more levels that gives the same values."""
    from openvino import opset13

    levels = node.get_attributes()["levels"]
    wider, name = MORE[levels], node.get_friendly_name()
    data, in_low, in_high, out_low, out_high = (node.input_value(place) for place in range(5))
    share = (wider - levels) / (levels - 1)
    cut = opset13.minimum(data, in_high)
    ranges = (in_low, _beyond(in_low, in_high, share), out_low, _beyond(out_low, out_high, share))
    made = opset13.fake_quantize(cut, *ranges, wider)
    made.set_friendly_name(name)
    names = node.output(0).get_tensor().get_names()
    node.output(0).replace(made.output(0))
    made.output(0).get_tensor().set_names(names)


def _beyond(low: "Output", high: "Output", share: float) -> "Output | Node":
    """Return the upper end of a range that grows by a share of itself: a constant where its ends are."""
    from openvino import opset13

    if all(end.get_node().get_type_name() == "Constant" for end in (low, high)):
        first, last = (end.get_node().get_data() for end in (low, high))
        return opset13.constant(
            (last.astype(np.float64) + (last.astype(np.float64) - first) * share).astype(last.dtype)
        )
    grown = opset13.multiply(opset13.subtract(high, low), opset13.constant(np.array(share, np.float32)))
    return opset13.add(high, grown)
