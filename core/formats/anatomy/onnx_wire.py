"""The bytes of an ONNX file walked field by field, so that large weights are measured where they lie and never parsed.

Fields of a protobuf message are a tag (number and wire type) and a value; a message inside is a length and its bytes:
https://protobuf.dev/programming-guides/encoding/. Field numbers are those of onnx.proto.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.errors import Refused, first_line

if TYPE_CHECKING:
    import onnx

MAX_BYTES = 2 << 30
MAX_SKELETON = 256 << 20
SMALL = 256
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
MODEL_GRAPH, GRAPH_INITIALIZER = 7, 5
WIDTHS = {4: 4, 9: 1, 10: 8}
"""Fields of TensorProto whose packed length tells the number of elements: float_data, raw_data, double_data."""

BROKEN = "Download or export the file again."
Buffer = bytes | mmap.mmap


@dataclass(frozen=True)
class Payload:
    """Where the data of a tensor lies in the file, in bytes."""

    start: int
    length: int


@dataclass(frozen=True)
class Field:
    """One field of a message: number, wire type, where it starts, and where its value starts and ends."""

    number: int
    wire: int
    start: int
    value: int
    end: int


@dataclass(frozen=True)
class Skeleton:
    """A model without the data of its large initializers, and where that data lies, by the initializer's place in the graph."""

    model: "onnx.ModelProto"
    payloads: dict[int, Payload]


def read(path: Path) -> Skeleton:
    """Parse a file without its large weights. Raises Refused when it is cut off, too large or not a model."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise Refused(
            f"The file has {size / 1e9:.1f} GB; one ONNX file can have 2 GB at most.",
            "Save the weights as external data.",
        )
    if size == 0:
        raise Refused("The file is empty.", BROKEN)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        parts, payloads = _model(data, size)
        if sum(map(len, parts)) > MAX_SKELETON:
            raise Refused("The graph itself, without its weights, is larger than 256 MB.", "Export the model again.")
        return Skeleton(_parse(b"".join(parts)), payloads)


def fields(data: Buffer, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message between two places. Raises Refused when one runs over the end."""
    at = start
    while at < end:
        tag, value = varint(data, at, end)
        wire = tag & 7
        if wire == VARINT:
            stop = varint(data, value, end)[1]
        elif wire == LENGTH:
            length, value = varint(data, value, end)
            stop = value + length
        else:
            stop = value + {FIXED64: 8, FIXED32: 4}.get(wire, end + 1)
        if tag >> 3 == 0 or stop > end:
            raise Refused("The file is cut off, or not an ONNX model: a part of it is longer than the file.", BROKEN)
        yield Field(tag >> 3, wire, at, value, stop)
        at = stop


def varint(data: Buffer, at: int, end: int) -> tuple[int, int]:
    """Return the number at a place and the place behind it. Raises Refused when it has no end."""
    value = shift = 0
    # 64 bits of 7 a byte are ten bytes at most.
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise Refused("The file is cut off in the middle of a number, or not an ONNX model.", BROKEN)


def looks_like_model(head: bytes) -> bool:
    """Say whether the first bytes are those of a ModelProto: an IR version and a graph, before anything that it does not have."""
    seen: set[int] = set()
    at = 0
    while at < len(head) and len(seen) < 40:
        try:
            tag, value = varint(head, at, len(head))
            length, behind = varint(head, value, len(head)) if tag & 7 in (VARINT, LENGTH) else (0, 0)
        except Refused:
            break
        number, wire = tag >> 3, tag & 7
        if (number, wire) not in MODEL_FIELDS or (number == 1 and length > 1000):
            return False
        seen.add(number)
        at = behind + (length if wire == LENGTH else 0)
    return MODEL_GRAPH in seen and (1 in seen or len(seen) > 1)


MODEL_FIELDS = {(1, VARINT), (5, VARINT), *((n, LENGTH) for n in (2, 3, 4, 6, 7, 8, 14, 20, 25, 26))}


def _model(data: Buffer, size: int) -> tuple[list[bytes], dict[int, Payload]]:
    parts: list[bytes] = []
    payloads: dict[int, Payload] = {}
    graphs = 0
    for item in fields(data, 0, size):
        if item.number == MODEL_GRAPH and item.wire == LENGTH:
            graphs += 1
            inner, payloads = _graph(data, item)
            parts += [_tag(MODEL_GRAPH), _number(sum(map(len, inner))), *inner]
        else:
            parts.append(data[item.start : item.end])
    # Protobuf merges a message that stands twice; a reader that does not would see another model.
    if graphs != 1:
        raise Refused(f"The file contains {graphs} graphs; an ONNX model has one.", "Export the model again.")
    return parts, payloads


def _graph(data: Buffer, graph: Field) -> tuple[list[bytes], dict[int, Payload]]:
    parts: list[bytes] = []
    payloads: dict[int, Payload] = {}
    place = 0
    for item in fields(data, graph.value, graph.end):
        if item.number == GRAPH_INITIALIZER and item.wire == LENGTH:
            if item.end - item.value > SMALL:
                inner, payload = _tensor(data, item)
                parts += [_tag(GRAPH_INITIALIZER), _number(sum(map(len, inner))), *inner]
                if payload:
                    payloads[place] = payload
            else:
                parts.append(data[item.start : item.end])
            place += 1
        else:
            parts.append(data[item.start : item.end])
    return parts, payloads


def _tensor(data: Buffer, tensor: Field) -> tuple[list[bytes], Payload | None]:
    """Leave out the one long run of bytes that an initializer's data is."""
    items = list(fields(data, tensor.value, tensor.end))
    runs = [i for i in items if i.number in WIDTHS and i.wire == LENGTH and i.end - i.value > SMALL]
    # Of raw_data that stands twice the last counts, of float_data both do: readers could see different weights.
    if len(runs) > 1 or (runs and sum(item.number in WIDTHS for item in items) > 1):
        raise Refused("A weight in the file stores its data twice.", "Export the model again.")
    kept = [data[item.start : item.end] for item in items if item not in runs]
    if not runs:
        return kept, None
    run = runs[0]
    if (run.end - run.value) % WIDTHS[run.number]:
        raise Refused("A weight in the file has broken data.", BROKEN)
    return kept, Payload(run.value, run.end - run.value)


def _tag(number: int) -> bytes:
    return _number(number << 3 | LENGTH)


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _parse(skeleton: bytes) -> "onnx.ModelProto":
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    try:
        return ModelProto.FromString(skeleton)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise Refused(f"The file does not parse as an ONNX model ({first_line(error)[:80]}).", BROKEN) from None
