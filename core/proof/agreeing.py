"""Whether two answers of the Open Inference Protocol say the same; read in the jail, since models write them."""

import json
import math
from hashlib import sha256
from typing import Any

import numpy as np

LENGTH = "inference-header-content-length"
KINDS = {"BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"} | {
    f"{sign}INT{bits}": f"<{letter}{bits // 8}" for sign, letter in (("", "i"), ("U", "u")) for bits in (8, 16, 32, 64)
}
CLOSE = 1e-3
"""A single number is no prediction of a class; it may move by so much of one plus its size."""
Answer = tuple[bytes, str | None]
"""A body, and the length of the JSON in it where tensors follow as bytes."""


def parts(body: bytes, length: str | None) -> tuple[Any, bytes]:
    """Part the JSON from the bytes behind it. Raises ValueError."""
    end = len(body) if length is None else int(length)
    return json.loads(body[:end]), body[end:]


def asked(body: bytes, length: str | None) -> bytes:
    """Return what a request asks, whatever its id is called. Raises ValueError."""
    head, tail = parts(body, length)
    return json.dumps(head["inputs"], sort_keys=True).encode() + tail


def alike(one: Answer, other: Answer, tolerance: float | None) -> bool:
    """Say whether two answers agree: every output within the tolerance or, without one, in what it predicts."""
    try:
        first, second = tensors(*one), tensors(*other)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return False
    return first.keys() == second.keys() and all(same(first[name], second[name], tolerance) for name in first)


def tensors(body: bytes, length: str | None, side: str = "outputs") -> dict[str, np.ndarray]:
    """Return the outputs of an answer, or the inputs of a request, by name. Raises ValueError, KeyError or TypeError for what is none."""
    head, tail = parts(body, length)
    found, place = {}, 0
    for one in head[side]:
        size = (one.get("parameters") or {}).get("binary_data_size")
        if size is not None:
            data, place = tail[place : place + size], place + size
        if one["datatype"] == "BYTES":
            found[one["name"]] = np.array([data.hex()] if size is not None else one["data"], dtype=object)
            continue
        kind = np.dtype(KINDS[one["datatype"]])
        array = np.array(one["data"], dtype=kind) if size is None else np.frombuffer(data, dtype=kind)
        found[one["name"]] = array.reshape(one["shape"])
    if not found:
        raise ValueError(f"no {side}")
    return found


def same(one: np.ndarray, other: np.ndarray, tolerance: float | None) -> bool:
    """Compare two arrays: numbers that are no floats must be equal; floats by tolerance, or by the largest along each axis of classes.

    Which axis holds the classes is not known, so the largest must be the same along every one but the first.
    """
    if one.shape != other.shape or one.dtype.kind != other.dtype.kind:
        return False
    if one.dtype.kind != "f":
        return bool(np.array_equal(one, other))
    axes = [axis for axis in range(1, one.ndim) if one.shape[axis] > 1]
    if tolerance is not None or not axes:
        near = CLOSE if tolerance is None else tolerance
        first, second = one.astype(np.float64), other.astype(np.float64)
        return bool(np.allclose(second, first, rtol=near, atol=near, equal_nan=True))
    if not np.array_equal(np.isnan(one), np.isnan(other)):
        return False
    return all(np.array_equal(one.argmax(axis), other.argmax(axis)) for axis in axes)


def chance(salt: str, text: bytes) -> float:
    """Return a number from 0 to 1 that a salt and a text always give alike."""
    return math.ldexp(int.from_bytes(sha256(salt.encode() + b"\0" + text).digest()[:8], "big"), -64)
