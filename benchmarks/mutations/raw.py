"""Changes of bytes, whatever they mean."""

import random
import struct

EXTREMES = (0, 1, -1, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, -(2**63), 2**64 - 1)


SHORT = 2000


def times(size: int, dice: random.Random) -> int:
    """Return how often a piece of so many bytes is said: not at all, twice, or hundreds of times where it is short."""
    return dice.choice((0, 2, 400)) if size < SHORT else dice.choice((0, 2))


def flipped(data: bytes, dice: random.Random) -> bytes:
    """Flip some bits."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 3, 20))):
        out[dice.randrange(len(out))] ^= 1 << dice.randrange(8)
    return bytes(out)


def cut(data: bytes, dice: random.Random) -> bytes:
    """Lose the end, or a piece."""
    begin = dice.randrange(len(data))
    return data[:begin] if dice.random() < 0.5 else data[:begin] + data[begin + dice.randrange(1, 200) :]


def spliced(data: bytes, dice: random.Random) -> bytes:
    """Put one piece of the file over another place of it."""
    begin, length, place = dice.randrange(len(data)), dice.randrange(1, 2000), dice.randrange(len(data))
    piece = data[begin : begin + length]
    return data[:place] + piece + data[place + len(piece) :]


def repeated(data: bytes, dice: random.Random) -> bytes:
    """Say a piece many times."""
    begin = dice.randrange(len(data))
    piece = data[begin : begin + dice.randrange(1, 500)]
    return data[:begin] + piece * dice.choice((2, 3, 50, 1000)) + data[begin:]


def extreme(data: bytes, dice: random.Random) -> bytes:
    """Write a number that is as large or small as it can be over some bytes."""
    form, bits = dice.choice((("<I", 32), (">I", 32), ("<Q", 64), ("<H", 16), ("B", 8)))
    number = struct.pack(form, dice.choice(EXTREMES) % (1 << bits))
    place = dice.randrange(len(data))
    if dice.random() < 0.5:
        place -= place % len(number)
    return data[:place] + number + data[place + len(number) :]


def inserted(data: bytes, dice: random.Random) -> bytes:
    """Put noise between two bytes."""
    place = dice.randrange(len(data) + 1)
    return data[:place] + dice.randbytes(dice.choice((1, 4, 64))) + data[place:]


CHANGES = (flipped, cut, spliced, repeated, extreme, inserted)
