"""Changes of protobuf messages by their fields, and of flatbuffers by their offsets."""

import random
import struct

from benchmarks.mutations.bait import Bait
from benchmarks.mutations.raw import EXTREMES, times
from benchmarks.mutations.texts import text

Field = tuple[int, int, bytes]
"""Number, wire type, and the value: a varint as its bytes, a sub-message without its length."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def varint(number: int) -> bytes:
    """Return a number as protobuf writes it, in 64 bits."""
    number, out = number % (1 << 64), bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _number(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place, value, shift = place + 1, value | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            return value, place
        if shift > 63:
            raise ValueError("no number")


def parsed(data: bytes) -> list[Field] | None:
    """Return the fields of a message, or None where the bytes are none."""
    fields, place = [], 0
    try:
        while place < len(data):
            tag, place = _number(data, place)
            number, kind = tag >> 3, tag & 7
            if not 0 < number < 1 << 29:
                return None
            begin = place
            if kind == VARINT:
                place = _number(data, place)[1]
            elif kind in (FIXED32, FIXED64):
                place += 4 if kind == FIXED32 else 8
            elif kind == BYTES:
                length, begin = _number(data, place)
                place = begin + length
            else:
                return None
            if place > len(data):
                return None
            fields.append((number, kind, data[begin:place]))
    except (IndexError, ValueError):
        return None
    return fields


def written(fields: list[Field]) -> bytes:
    """Return the message of some fields."""
    return b"".join(
        varint(number << 3 | kind) + (varint(len(value)) if kind == BYTES else b"") + value
        for number, kind, value in fields
    )


def protobuf_changed(data: bytes, dice: random.Random, bait: Bait) -> bytes:
    """Change one field somewhere in a message; lengths around it stay right."""
    fields = parsed(data) or []
    if not fields:
        return data + text(bait, dice)
    place = dice.randrange(len(fields))
    number, kind, value = fields[place]
    if kind == BYTES and len(value) > 1 and dice.random() < 0.75 and parsed(value):
        fields[place] = (number, kind, protobuf_changed(value, dice, bait))
        return written(fields)
    return written([*fields[:place], *changed(fields[place], dice, bait), *fields[place + 1 :]])


def changed(field: Field, dice: random.Random, bait: Bait) -> list[Field]:
    """Return what stands in place of a field: nothing, many, another value, number, type, or itself in itself."""
    number, kind, value = field
    act = dice.randrange(6)
    if act == 0:
        return [field] * times(len(value), dice)
    if act == 1:
        return [(dice.choice((number + 1, max(1, number - 1), 15, 999)), kind, value)]
    if act == 2 and kind == BYTES:
        for _ in range(dice.choice((2, 60, 300))):
            value = written([(number, BYTES, value)])
        return [(number, BYTES, value)]
    if act == 3:
        return [(number, VARINT, varint(dice.choice(EXTREMES)))]
    return [(number, BYTES, text(bait, dice))] if kind == BYTES else [(number, VARINT, varint(dice.choice(EXTREMES)))]


def flatbuffer_changed(data: bytes, dice: random.Random, bait: Bait) -> bytes:
    """Let an offset lead elsewhere, to itself or out of the file, or change a count or a text."""
    words = len(data) // 4
    for _ in range(200):
        place = 4 * min(int(dice.expovariate(1 / 400)), words - 1) if dice.random() < 0.7 else 4 * dice.randrange(words)
        (old,) = struct.unpack_from("<I", data, place)
        if 0 < old < len(data) - place:
            break
    new = dice.choice((0, 4, old + 4, old - 4, old + 1, len(data) - place, dice.randrange(len(data)), *EXTREMES)) % (
        1 << 32
    )
    return data[:place] + struct.pack("<I", new) + data[place + 4 :]
