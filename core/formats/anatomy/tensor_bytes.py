"""Stored bytes as NumPy arrays, by the names that the formats give their element types here."""

from typing import TYPE_CHECKING

from core.formats.anatomy.torch_weights import TensorView

if TYPE_CHECKING:
    import numpy as np

HELD = {
    **{name: name for name in ("float16", "float32", "float64", "bool")},
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "bfloat16": "bfloat16",
    "float8e4m3fn": "float8_e4m3fn",
    "float8e5m2": "float8_e5m2",
}
"""Types of whole bytes to the names that NumPy has for them once ml_dtypes is imported."""


def array(data: bytes, dtype: str, shape: tuple[int, ...]) -> "np.ndarray | None":
    """Return little-endian ``data`` in its shape; None for a type of parts of bytes, or where the bytes are too few."""
    import ml_dtypes  # noqa: F401 -- it tells NumPy its types
    import numpy as np

    if dtype not in HELD:
        return None
    found = np.frombuffer(data, np.dtype(HELD[dtype]).newbyteorder("<"))
    return found.reshape(shape) if found.size == np.prod(shape, dtype=np.int64) else None


def viewed(data: bytes, view: TensorView) -> "np.ndarray | None":
    """Return what a checked view shows of its storage, as a copy; None for a type of parts of bytes."""
    import numpy as np

    width = max(1, view.width)
    held = array(data, view.dtype, (len(data) // width,))
    if held is None:
        return None
    strides = tuple(stride * held.itemsize for stride in view.strides)
    return np.lib.stride_tricks.as_strided(held[view.offset :], view.shape, strides, writeable=False).copy()
