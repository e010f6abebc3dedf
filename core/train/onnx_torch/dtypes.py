"""Element types of ONNX as torch has them, and ONNX tensors as torch tensors."""

import numpy as np
import torch

from core.domain.errors import Refused, first_line
from core.formats.anatomy import onnx_dtypes
from core.onnx.typing import TensorProto

DTYPES: dict[int, torch.dtype] = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    4: torch.uint16,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    12: torch.uint32,
    13: torch.uint64,
    14: torch.complex64,
    15: torch.complex128,
    16: torch.bfloat16,
    17: torch.float8_e4m3fn,
    18: torch.float8_e4m3fnuz,
    19: torch.float8_e5m2,
    20: torch.float8_e5m2fnuz,
}
"""By TensorProto.DataType."""
PACKED = {21: torch.uint8, 22: torch.int8}
"""Weights of 4-bit integers, which are kept in bytes."""
TEXT = 8
BYTES = {torch.bfloat16: np.int16, torch.float8_e4m3fn: np.int8, torch.float8_e5m2: np.int8}
BYTES |= {torch.float8_e4m3fnuz: np.int8, torch.float8_e5m2fnuz: np.int8}
"""Types that NumPy lacks, and what their bits are read as."""


def torch_dtype(code: int) -> torch.dtype:
    """Return torch's dtype for a TensorProto.DataType. Raises Refused for text and for types that torch has not."""
    if code not in DTYPES:
        what = "text" if code == TEXT else f"numbers of the type {onnx_dtypes.name(code)}"
        raise Refused(f"The model works with {what}, which torch does not support.", "Remove that part of the model.")
    return DTYPES[code]


def tensor_of(proto: TensorProto) -> torch.Tensor:
    """Return the values of a TensorProto in memory of their own. Raises Refused for text, and for broken bytes."""
    import onnx

    dtype = PACKED.get(proto.data_type) or torch_dtype(proto.data_type)
    try:
        array = onnx.numpy_helper.to_array(proto)
    except Exception as error:
        raise Refused(
            f"The weight {proto.name!r} cannot be read: {first_line(error)}", "Save the model again."
        ) from None
    if dtype in BYTES:
        bits = np.ascontiguousarray(array).view(BYTES[dtype])
        return torch.from_numpy(bits.copy()).view(dtype).reshape(tuple(proto.dims))
    if array.dtype.kind not in "iufbc" or array.dtype.itemsize != dtype.itemsize:
        array = array.astype(np.int8 if dtype is torch.int8 else np.uint8)
    return torch.from_numpy(np.array(array, order="C", copy=True)).to(dtype).reshape(tuple(proto.dims))
