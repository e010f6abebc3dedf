"""Widens a graph from float32 to float64: the same arithmetic with 29 more bits, beside which the loss of float32 shows.

By hand, on ONNX's own messages: the converters of precision in onnxconverter-common and ONNX Runtime only narrow.
"""

from core.onnx import weights
from core.onnx.casts import DOUBLE, FLOAT
from core.onnx.typing import AttributeProto, ModelProto, NodeProto, TensorProto

TYPES = ("to", "dtype", "stash_type", "output_datatype", "softmax_precision")
"""Attributes that name an element type."""


def widen(model: ModelProto) -> None:
    """Turn weights, inputs, outputs and casts of a ModelProto from float32 to float64, in place; other types stay."""
    for graph in weights.graphs(model.graph):
        for tensor in graph.initializer:
            _widen_tensor(tensor)
        for value in (*graph.input, *graph.output, *graph.value_info):
            if value.type.tensor_type.elem_type == FLOAT:
                value.type.tensor_type.elem_type = DOUBLE
    for node in (*weights.nodes(model.graph), *(node for function in model.functions for node in function.node)):
        for attribute in list(node.attribute):
            _widen_attribute(node, attribute)


def _widen_attribute(node: NodeProto, attribute: AttributeProto) -> None:
    if attribute.HasField("t"):
        _widen_tensor(attribute.t)
    elif attribute.name in TYPES and attribute.i == FLOAT:
        attribute.i = DOUBLE
    elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
        _widen_constant(node, attribute)


def _widen_constant(node: NodeProto, attribute: AttributeProto) -> None:
    """Write the short form of a constant as a tensor, which has a type."""
    import onnx

    dims = [len(attribute.floats)] if attribute.name == "value_floats" else []
    numbers = list(attribute.floats) if dims else [attribute.f]
    value = onnx.helper.make_tensor(node.output[0], DOUBLE, dims, numbers)
    node.attribute.remove(attribute)
    node.attribute.append(onnx.helper.make_attribute("value", value))


def _widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type == FLOAT:
        from onnx import numpy_helper

        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float64"), tensor.name))
