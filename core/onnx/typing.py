"""Names for annotations: the messages of an ONNX file, which load onnx only in the functions that need it, and arrays by what they hold."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto
    from onnxruntime import InferenceSession
else:
    AttributeProto = GraphProto = ModelProto = NodeProto = TensorProto = ValueInfoProto = InferenceSession = object

__all__ = [
    "AttributeProto",
    "GraphProto",
    "InferenceSession",
    "ModelProto",
    "NodeProto",
    "TensorProto",
    "ValueInfoProto",
]

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float64]
Samples = dict[str, np.ndarray]
"""Each array [n, ...]."""
