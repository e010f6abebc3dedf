"""The element types of ONNX tensors: their names, the bits of an element, and where small tensors keep their values."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from core.formats.anatomy.elements import bits

if TYPE_CHECKING:
    import onnx

NAMES: dict[int, str] = dict(enumerate((
    "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "float64", "uint32",
    "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz",
    "uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2",
), start=1))  # fmt: skip
BITS = {kind: bits(dtype) for kind, dtype in NAMES.items() if bits(dtype)}
EXTERNAL = 1


def name(kind: int) -> str:
    """Return the NumPy name of an element type, or ``unknown``."""
    return NAMES.get(kind, "unknown")


def elements(dims: Iterable[int]) -> int:
    """Return the number of elements of a shape."""
    return math.prod(dims)


def expected_bytes(kind: int, count: int) -> int:
    """Return the bytes that ``count`` elements take when they are packed."""
    return (count * BITS[kind] + 7) // 8


def typed_elements(tensor: "onnx.TensorProto") -> int:
    """Return how many elements the typed fields of a small tensor hold; several of less than a byte share one entry."""
    kind = tensor.data_type
    if kind in (1, 14):
        return len(tensor.float_data) // (2 if kind == 14 else 1)
    if kind in (11, 15):
        return len(tensor.double_data) // (2 if kind == 15 else 1)
    if kind == 7:
        return len(tensor.int64_data)
    if kind in (12, 13):
        return len(tensor.uint64_data)
    if kind == 8:
        return len(tensor.string_data)
    return len(tensor.int32_data) * (8 // BITS[kind] if BITS.get(kind, 8) < 8 else 1)
