"""What OpenVINO's CPU engine answers otherwise than the source of a model, and how the file itself keeps it from doing so.

Both were seen in version 2026.4. Of equal numbers, a TopK that is not marked as stable takes any. Attention is fused into
one kernel, which keeps the form of its first call: where that had one step, 16 steps or more are answered with garbage.
"""

from typing import TYPE_CHECKING

from core.libraries import ir_arithmetic

if TYPE_CHECKING:
    from openvino import Model, Node


def guard(model: "Model") -> None:
    """Mark what puts numbers in order as stable, and keep attention over a free number of steps apart, in place."""
    for body in ir_arithmetic.bodies(model):
        for node in body.get_ordered_ops():
            if node.get_type_name() == "TopK":
                _replace(node, _stable(node))
            elif node.get_type_name() == "Softmax" and _attends(node):
                _replace(node, _apart(node))


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


def _replace(node: "Node", made: "Node") -> None:
    """Put a node in another's place, under its name and the names of its results."""
    made.set_friendly_name(node.get_friendly_name())
    for old, new in zip(node.outputs(), made.outputs(), strict=True):
        names = old.get_tensor().get_names()
        old.replace(new)
        new.get_tensor().set_names(names)
