"""What OpenVINO's CPU engine answers otherwise than the source of a model, and how the file itself keeps it from doing so.

All were seen in version 2026.4. Of equal numbers, a TopK that is not marked as stable takes any. Attention is fused into
one kernel, which keeps the form of its first call: where that had one step, 16 steps or more are answered with garbage.
What a graph rounds to halves stays as it was: the engine computes in floats of 32 bits, and leaves such conversions out.
"""

from typing import TYPE_CHECKING

import numpy as np

from core.libraries import ir_arithmetic

if TYPE_CHECKING:
    from openvino import Model, Node

WEIGHTS = 64
"""From so many halves on, a model is one of halves, computed in floats on purpose."""
LOWEST, HIGHEST, BITS, BEYOND = -14, 15, 10, 65520.0
"""The exponents of halves and the bits behind their first (IEEE 754, binary16), and where they round to infinity."""


def guard(model: "Model") -> None:
    """Mark what puts numbers in order as stable, keep attention over a free number of steps apart, and round to halves where the graph does, in place."""
    rounds = _few_halves(model)
    for body in ir_arithmetic.bodies(model):
        for node in body.get_ordered_ops():
            if node.get_type_name() == "TopK":
                _replace(node, _stable(node))
            elif node.get_type_name() == "Softmax" and _attends(node):
                _replace(node, _apart(node))
            elif rounds and node.get_type_name() == "Convert" and _to_halves(node):
                _replace(node, _rounded(node))


def _stable(node: "Node") -> "Node":
    """Return the same TopK, which takes the first of equal numbers; where order is by place, equal ones stay as they lie."""
    from openvino import opset11

    given = node.get_attributes()
    sort = "value" if given["sort"] == "none" else given["sort"]
    made: Node = opset11.topk(
        *node.input_values(), given["axis"], given["mode"], sort, given["index_element_type"], stable=True
    )
    return made


def _attends(node: "Node") -> bool:
    """Say whether a Softmax goes over a free number of steps into a product."""
    axis = node.get_attributes()["axis"]
    shape = node.get_output_partial_shape(0)
    free = shape.rank.is_dynamic or shape[axis % len(shape)].is_dynamic
    return free and any(port.get_node().get_type_name() == "MatMul" for port in node.output(0).get_target_inputs())


def _apart(node: "Node") -> "Node":
    """Return the same shares as the exponential of their logarithm, which no kernel takes for attention."""
    from openvino import opset13

    made: Node = opset13.exp(opset13.log_softmax(node.input_value(0), node.get_attributes()["axis"]))
    return made


def _few_halves(model: "Model") -> bool:
    """Say whether a model rounds to halves without having learned in them."""
    constants = [
        node.output(0)
        for body in ir_arithmetic.bodies(model)
        for node in body.get_ordered_ops()
        if node.get_type_name() == "Constant"
    ]
    halves = (port for port in constants if port.get_element_type().get_type_name() == "f16")
    return sum(int(np.prod([*port.get_shape(), 1])) for port in halves) < WEIGHTS


def _to_halves(node: "Node") -> bool:
    kinds = [port.get_element_type().get_type_name() for port in (node.input(0), node.output(0))]
    return bool(kinds[1] == "f16" and kinds[0] != "f16")


def _rounded(node: "Node") -> "Node":
    """Return the same conversion of numbers that are halves already: multiples of the step that halves of their size have."""
    from openvino import opset13

    def number(value: float) -> "Node":
        made: Node = opset13.constant(np.array(value, np.float32))
        return made

    wide = opset13.convert(node.input_value(0), "f32")
    # Beside a power of two the logarithm may be one off; a number so near to it rounds to it in either step.
    size = opset13.floor(opset13.multiply(opset13.log(opset13.absolute(wide)), number(1 / np.log(2))))
    steps = opset13.constant(np.exp2(np.arange(LOWEST, HIGHEST + 1) - BITS).astype(np.float32))
    place = opset13.convert(opset13.subtract(opset13.clamp(size, LOWEST, HIGHEST), number(LOWEST)), "i32")
    step = opset13.gather(steps, place, opset13.constant(np.array(0, np.int32)))
    near = opset13.multiply(opset13.round(opset13.divide(wide, step), "half_to_even"), step)
    beyond = opset13.greater_equal(opset13.absolute(wide), number(BEYOND))
    infinite = opset13.multiply(opset13.sign(wide), number(np.inf))
    made: Node = opset13.convert(opset13.select(beyond, infinite, near), "f16")
    return made


def _replace(node: "Node", made: "Node") -> None:
    """Put a node in another's place, under its name and the names of its results."""
    made.set_friendly_name(node.get_friendly_name())
    for old, new in zip(node.outputs(), made.outputs(), strict=True):
        names = old.get_tensor().get_names()
        old.replace(new)
        new.get_tensor().set_names(names)
