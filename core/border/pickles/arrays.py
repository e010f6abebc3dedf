"""NumPy arrays inside a pickle, read from the stand-ins: shape, dtype and bytes."""

from dataclasses import dataclass

from core.border.pickles.values import Array, Built, itemsize

RECONSTRUCT = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
FROM_BUFFER = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")

EDGE = 4096


@dataclass(frozen=True)
class Bytes:
    """A run of bytes, of which only the length and both edges are kept."""

    length: int
    edges: bytes = b""


def wrapped_bytes(wrapper: Built) -> tuple[Array, bool]:
    """Return the array that a joblib wrapper announces, and whether padding stands before its bytes. Raises ValueError."""
    state = wrapper.state
    if not isinstance(state, dict):
        raise ValueError("an array without a description")
    alignment = state.get("numpy_array_alignment_bytes")
    if alignment is not None and type(alignment) is not int:
        raise ValueError("an array with a strange alignment")
    return Array(_shape(state.get("shape")), dtype_code(state.get("dtype"))), alignment is not None


def array_of(value: object) -> Array | None:
    """Return the array that a stand-in describes, or None when it describes none."""
    if isinstance(value, Array):
        return value
    try:
        return _pickled_array(value) if isinstance(value, Built) else None
    except (ValueError, IndexError, TypeError):
        return None


def dtype_code(value: object) -> str:
    """Return the code of a pickled dtype, such as ``f8``. Raises ValueError when its state tells another size, or hides objects."""
    if not isinstance(value, Built) or value.path != "numpy.dtype" or not value.args:
        raise ValueError("an array whose dtype cannot be read")
    code = value.args[0]
    if type(code) is not str:
        raise ValueError("an array whose dtype cannot be read")
    code = code.lstrip("<>|=")
    size = itemsize(code)
    state = value.state
    # A dtype's state: version, byte order, subarray, names, fields, item size (-1: as the code says), alignment, flags.
    if isinstance(state, tuple) and len(state) > 5:
        if state[5] not in (-1, size):
            raise ValueError("an array whose dtype has two sizes")
        _check_fields(state[4])
        if isinstance(state[2], tuple):
            _check_fields({"": state[2]})
    elif state is not None:
        raise ValueError("an array whose dtype cannot be read")
    return code


def _check_fields(fields: object) -> None:
    """Refuse a field of objects: its pickle would lie where bytes are expected."""
    if fields is None:
        return
    if not isinstance(fields, dict):
        raise ValueError("an array whose dtype cannot be read")
    for place in fields.values():
        if dtype_code(place[0]).startswith("O"):
            raise ValueError("an array with objects in its fields")


def _shape(value: object) -> tuple[int, ...]:
    if not isinstance(value, tuple) or len(value) > 64 or any(type(size) is not int or size < 0 for size in value):
        raise ValueError("an array with a strange shape")
    return value


def _pickled_array(value: Built) -> Array | None:
    if value.path in RECONSTRUCT and isinstance(value.state, tuple) and len(value.state) >= 5:
        _, shape, dtype, _, data = value.state[:5]
        return Array(_shape(shape), dtype_code(dtype), data if isinstance(data, list) else None)
    if value.path in FROM_BUFFER:
        return Array(_shape(value.args[2]), dtype_code(value.args[1]))
    return None
