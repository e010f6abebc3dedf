"""A reader of flatbuffers that checks every step against the end of the file and counts its steps.

Layout: FlatBuffers internals (https://flatbuffers.dev/internals/): a table starts with the distance back to its list of
field places; vectors and texts start with their length; every number is little-endian.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.domain.errors import Refused

MAX_STEPS = 20_000_000
MAX_TEXT = 4_096
AGAIN = "Download or export the file again."


@dataclass
class Source:
    """The bytes of a flatbuffer and how many reads are left: tables that share parts cannot multiply the work."""

    data: memoryview
    left: int = field(default=MAX_STEPS)

    def number(self, kind: str, place: int) -> int:
        """Return the whole number of a ``struct`` kind at a place. Raises Refused outside the file."""
        self.left -= 1
        if self.left < 0:
            raise Refused("The file repeats its parts more often than any model.", AGAIN)
        if not 0 <= place <= len(self.data) - struct.calcsize(kind):
            raise Refused("The file refers to data beyond its end; it is cut off or broken.", AGAIN)
        return int(struct.unpack_from("<" + kind, self.data, place)[0])

    def root(self) -> "Table":
        """Return the table that the file starts with."""
        return Table(self, self.number("I", 0))


@dataclass(frozen=True)
class Table:
    """One table; fields are asked for by their number in the schema, and absent ones have their default."""

    source: Source
    place: int

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """Return a whole number."""
        place = self._field(field)
        return default if place is None else self.source.number(kind, place)

    def text(self, field: int) -> str:
        """Return a text; what is no UTF-8 is shown as such."""
        start, length = self._vector(field, 1)
        if length > MAX_TEXT:
            raise Refused(f"A name in the file has {length:,} bytes.", AGAIN)
        return bytes(self.source.data[start : start + length]).decode("utf-8", "replace")

    def numbers(self, field: int, kind: str) -> tuple[int, ...]:
        """Return a vector of whole numbers."""
        size = struct.calcsize(kind)
        start, length = self._vector(field, size)
        self.source.left -= length
        return struct.unpack_from(f"<{length}{kind}", self.source.data, start)

    def span(self, field: int) -> tuple[int, int]:
        """Return where a vector of bytes starts, and its length."""
        return self._vector(field, 1)

    def table(self, field: int) -> "Table | None":
        """Return an inner table, or None without one."""
        place = self._field(field)
        return None if place is None else Table(self.source, place + self.source.number("I", place))

    def tables(self, field: int) -> Iterator["Table"]:
        """Yield the tables of a vector."""
        start, length = self._vector(field, 4)
        for place in range(start, start + 4 * length, 4):
            yield Table(self.source, place + self.source.number("I", place))

    def count(self, field: int) -> int:
        """Return the length of a vector."""
        return self._vector(field, 1)[1]

    def _field(self, field: int) -> int | None:
        # The distance to the list of field places is signed and taken off: the list may lie on either side of the
        # table.
        fields = self.place - self.source.number("i", self.place)
        # The list starts with its own size and the table's; a writer of an older schema ends it before newer fields.
        here = 4 + 2 * field
        if here + 2 > self.source.number("H", fields):
            return None
        offset = self.source.number("H", fields + here)
        return self.place + offset if offset else None

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        """Return the start and the length of a vector, which lies inside the file."""
        place = self._field(field)
        if place is None:
            return 0, 0
        place += self.source.number("I", place)
        length = self.source.number("I", place)
        if place + 4 + size * length > len(self.source.data):
            raise Refused("The file refers to data beyond its end; it is cut off or broken.", AGAIN)
        return place + 4, length
