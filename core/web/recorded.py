"""Recorded inputs and answers for a reader without NumPy: four bytes of length, a JSON text, and the arrays as they lie in memory.

The length is that of the JSON text, little-endian, with spaces at its end so that every array begins at a multiple of eight.
"""

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.domain.errors import Refused, first_line

if TYPE_CHECKING:
    import numpy as np

DTYPES = (
    "float16",
    "float32",
    "float64",
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)
ALIGN = 8
MAX_BYTES = 64_000_000
JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Replayed:
    """One call of the source: the check that it belongs to, what was special, how many samples, and its arrays in order."""

    name: str
    what: str
    samples: int
    inputs: list["np.ndarray"]
    outputs: list["np.ndarray"]


def pack(inputs: tuple[str, ...], outputs: tuple[str, ...], cases: Iterable[Replayed], limit: int = MAX_BYTES) -> bytes:
    """Return the cases in order, each one whole or left out; ``limit`` bounds the arrays in bytes.

    Arrays of a kind that JavaScript has no name for leave their case out. ``recorded`` says how many there were.
    """
    kept: list[JsonObject] = []
    body, total = bytearray(), 0
    for case in cases:
        total += 1
        arrays = [*case.inputs, *case.outputs]
        if any(a.dtype.kind != "U" and a.dtype.name not in DTYPES for a in arrays):
            continue
        if len(body) + sum(a.nbytes + ALIGN for a in arrays) > limit:
            continue
        laid = [_lay(array, body) for array in arrays]
        first = {"name": case.name, "what": case.what, "samples": case.samples}
        kept.append({**first, "inputs": laid[: len(case.inputs)], "outputs": laid[len(case.inputs) :]})
    return _joined({"inputs": inputs, "outputs": outputs, "recorded": total, "cases": kept}, bytes(body))


def trim(data: bytes, limit: int) -> bytes:
    """Return the same recording with only as many of its first cases as fit in ``limit`` bytes; the first always stays."""
    head, body = split(data)
    kept = head["cases"][:1]
    for case in head["cases"][1:]:
        if _end(case) > limit:
            break
        kept.append(case)
    return _joined({**head, "cases": kept}, body[: max(map(_end, kept), default=0)])


def split(data: bytes) -> tuple[JsonObject, bytes]:
    """Return the JSON value and the bytes of the arrays. Raises Refused when the two do not fit together."""
    try:
        (length,) = struct.unpack("<I", data[:4])
        head = json.loads(data[4 : 4 + length])
        body = data[4 + length :]
        if any(_end(case) > len(body) for case in head["cases"]):
            raise ValueError("an array extends beyond the end")
    except (ValueError, KeyError, TypeError, struct.error, RecursionError) as error:
        raise Refused(
            f"The recorded answers cannot be read: {first_line(error)[:200]}", "Run the conversion again."
        ) from None
    return head, body


def _lay(array: "np.ndarray", body: bytearray) -> JsonObject:
    """Append one array and say where it lies; texts stand in the JSON itself."""
    shape = list(array.shape)
    if array.dtype.kind == "U":
        return {"dtype": "string", "shape": shape, "values": array.reshape(-1).tolist()}
    place = len(body)
    body += array.astype(array.dtype.newbyteorder("<")).tobytes()
    body += bytes(-len(body) % ALIGN)
    return {"dtype": array.dtype.name, "shape": shape, "at": place, "bytes": array.nbytes}


def _end(case: JsonObject) -> int:
    return max((a["at"] + a["bytes"] for a in (*case["inputs"], *case["outputs"]) if "at" in a), default=0)


def _joined(head: JsonObject, body: bytes) -> bytes:
    text = json.dumps(head, sort_keys=True).encode()
    text += b" " * (-(4 + len(text)) % ALIGN)
    return struct.pack("<I", len(text)) + text + body
