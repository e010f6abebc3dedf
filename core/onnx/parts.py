"""The part of an ONNX model that some of its values need, so that nothing else is computed for them.

By hand, for the reasons of ``unread``; onnx-ir 1.1.0 also refuses a part that reads a sparse initializer.
"""

from core.onnx import unread, weights
from core.onnx.typing import ModelProto


def leading_to(model: ModelProto, names: list[str]) -> ModelProto:
    """Return a copy of a model that answers the named values and holds no node or tensor which they do not need.

    All inputs stay. Where inputs alone are named the copy is whole, for a model without answers does not load.
    """
    from onnx import helper

    part = weights.copied(model)
    given = {value.name for value in part.graph.input}
    if asked := [name for name in names if name not in given]:
        known = {value.name: value for value in model.graph.output}
        del part.graph.output[:]
        part.graph.output.extend(known.get(name) or helper.make_empty_tensor_value_info(name) for name in asked)
        unread.sweep(part)
    return part
