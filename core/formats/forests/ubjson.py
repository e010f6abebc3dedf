"""Universal Binary JSON (ubjson.org, draft 12) as XGBoost writes it: every length is checked against the bytes that are left."""

import struct
import sys
from array import array
from typing import Any

from core.domain.errors import Refused
from core.formats.anatomy.findings import JsonObject

MAX_DEPTH = 64
MAX_VALUES = 20_000_000
NUMBERS = {"i": "b", "U": "B", "I": "h", "l": "i", "L": "q", "d": "f", "D": "d"}
"""UBJSON's marker of a number, and the code that ``struct`` and ``array`` have for it."""
PLAIN = {"Z": None, "T": True, "F": False}
AGAIN = "Save the model again with save_model('model.json')."


def parse(data: bytes) -> Any:
    """Return the value that the bytes hold; arrays of one number type come as ``array``. Raises Refused."""
    reader = _Reader(data)
    value = reader.value(reader.marker(), 0)
    if reader.place != len(data):
        raise Refused("The file has extra bytes after its end.", AGAIN)
    return value


class _Reader:
    """A place in the bytes, and how many values were read."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place, self.values = data, 0, 0

    def take(self, count: int) -> bytes:
        if count < 0 or count > len(self.data) - self.place:
            raise Refused("The file is cut off, or one of its lengths is wrong.", AGAIN)
        self.place += count
        return self.data[self.place - count : self.place]

    def marker(self) -> str:
        return self.take(1).decode("latin-1")

    def number(self, marker: str) -> float:
        code = ">" + NUMBERS[marker]
        found: float = struct.unpack(code, self.take(struct.calcsize(code)))[0]
        return found

    def length(self) -> int:
        marker = self.marker()
        if marker not in "iUIlL":
            raise Refused(f"The file has {marker!r} where a length should be.", AGAIN)
        return int(self.number(marker))

    def text(self) -> str:
        try:
            return self.take(self.length()).decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("The file contains text that is not UTF-8.", AGAIN) from None

    def value(self, marker: str, depth: int) -> object:
        self.values += 1
        if depth > MAX_DEPTH or self.values > MAX_VALUES:
            raise Refused("The file is nested more deeply, or has more parts, than any model.", AGAIN)
        if marker in NUMBERS:
            return self.number(marker)
        if marker in PLAIN:
            return PLAIN[marker]
        if marker == "S":
            return self.text()
        if marker == "C":
            return self.marker()
        if marker == "[":
            return self.items(depth + 1)
        if marker == "{":
            return self.table(depth + 1)
        raise Refused(f"The file contains a value of the unknown type {marker!r}.", AGAIN)

    def items(self, depth: int) -> object:
        marker = self.marker()
        if marker == "$":
            return self.typed()
        if marker == "#":
            return [self.value(self.marker(), depth) for _ in range(self.count())]
        found: list[object] = []
        while marker != "]":
            found.append(self.value(marker, depth))
            marker = self.marker()
        return found

    def count(self) -> int:
        """Read a number of values, each of which takes a byte or more."""
        count = self.length()
        if not 0 <= count <= len(self.data) - self.place:
            raise Refused("The file declares more values than it has bytes.", AGAIN)
        return count

    def typed(self) -> "array[float]":
        kind = self.marker()
        if kind not in NUMBERS or self.marker() != "#":
            raise Refused(f"The file contains an array of the unknown type {kind!r}.", AGAIN)
        found: array[float] = array(NUMBERS[kind])
        count = self.length()
        found.frombytes(self.take(count * found.itemsize))
        # Numbers in UBJSON are big-endian.
        if sys.byteorder == "little":
            found.byteswap()
        return found

    def table(self, depth: int) -> JsonObject:
        found: JsonObject = {}
        while self.data[self.place : self.place + 1] != b"}":
            key = self.text()
            if key in found:
                raise Refused(f"The file names {key[:40]!r} twice.", AGAIN)
            found[key] = self.value(self.marker(), depth)
        self.place += 1
        return found
