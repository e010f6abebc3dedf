"""What is tried on every format that is a flatbuffer: offsets, lengths and tables that lead elsewhere."""

import struct
from collections.abc import Callable

from tests.hostile.corpus.attack import Attack

SOURCES = {
    "litert": ("dense.tflite", 0),
    "executorch": ("relu.pte", 0),
    "ort": ("linear.ort", 0),
    "catboost": ("boosted.cbm", 8),
}
"""The honest file, and where its flatbuffer begins."""


def word(data: bytes, place: int, value: int) -> bytes:
    """Write 32 bits."""
    return data[:place] + struct.pack("<I", value % (1 << 32)) + data[place + 4 :]


def root(data: bytes) -> int:
    """Return where the root table lies."""
    return int(struct.unpack_from("<I", data)[0])


def fields(data: bytes) -> int:
    """Return where the list of the root's fields lies."""
    return root(data) - int(struct.unpack_from("<i", data, root(data))[0])


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a root at the end": lambda data: word(data, 0, len(data) - 2),
    "a root far outside": lambda data: word(data, 0, 2**31),
    "a root at its own offset": lambda data: word(data, 0, 0),
    "a list of fields far before": lambda data: word(data, root(data), 2**31 - 1),
    "a list of fields far behind": lambda data: word(data, root(data), -(2**31)),
    "a list of fields of 64 KB": lambda data: data[: fields(data)] + b"\xff\xff" + data[fields(data) + 2 :],
    "fields far outside": lambda data: data[: fields(data) + 4] + b"\xfc\xff" * 4 + data[fields(data) + 12 :],
    "offsets to themselves": lambda data: data[: root(data) + 4] + bytes(4) * 6 + data[root(data) + 28 :],
    "offsets of 2 GB": lambda data: data[: root(data) + 4] + b"\xff\xff\xff\x7f" * 6 + data[root(data) + 28 :],
}


def spoilt(source: str, start: int, change: Callable[[bytes], bytes]) -> Callable[..., bytes]:
    """Return what makes the file: what stands before the flatbuffer stays."""

    def make(honest: dict[str, object]) -> bytes:
        data = honest[source].read_bytes()  # type: ignore[attr-defined]
        return bytes(data[:start] + change(data[start:]))

    return make


CALM = {("ort", "a list of fields of 64 KB")}
"""Where the reader looks at the fields that it knows, and ONNX Runtime at the rest, in the sandbox."""

ATTACKS = tuple(
    Attack(format, what, source, spoilt(source, start, change), (format, what) in CALM)
    for format, (source, start) in SOURCES.items()
    for what, change in CHANGES.items()
)
