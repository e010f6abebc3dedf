"""Turns a packed model back into its file, byte for byte, with the Python standard library alone.

python unpack.py                             model.packed beside this script to model.onnx
python unpack.py one.packed one.onnx         any other

A packed file is ``PORTOLAN``, the SHA-256 of the model, and numbers of 7 bits a byte, lowest first: the number of
streams, then for each one its place in the model, its length there, its method, the method's three settings, and its
length here. The streams follow. The first one fills what the others leave.
"""

import hashlib
import lzma
import struct
import sys
from pathlib import Path

MAGIC = b"PORTOLAN"
PLAIN, LZMA, PLANES, DIGITS, CODED = range(5)
"""As it is; compressed; bytes of one place in each number together; digits a byte each; digits by arithmetic coding."""
LIMIT = 65000
"""Of the counts behind a probability; both are halved above it."""
LARGEST = 1 << 24
"""Bytes that LZMA looks back at most; it takes twelve times that while it packs."""


def unpacked(data: bytes) -> bytes:
    """Return the model. Raises ValueError when the bytes are no packed model, or were changed on the way."""
    if data[:8] != MAGIC:
        raise ValueError("This is not a packed model.")
    numbers = Numbers(data, 40)
    headers = [[numbers.next() for _ in range(7)] for _ in range(numbers.next())]
    at, parts = numbers.at, []
    for start, length, method, one, two, three, size in headers:
        parts.append((start, restored(data[at : at + size], length, method, (one, two, three))))
        at += size
    model = joined(parts[0][1], parts[1:])
    if hashlib.sha256(model).digest() != data[8:40]:
        raise ValueError("The packed model has been changed: its checksum differs.")
    return model


def joined(rest: bytes, parts: "list[tuple[int, bytes]]") -> bytes:
    """Put the parts into their places in the model, and the rest between them."""
    pieces, taken, end = [], 0, 0
    for start, part in parts:
        pieces += [rest[taken : taken + start - end], part]
        taken, end = taken + start - end, start + len(part)
    return b"".join([*pieces, rest[taken:]])


def restored(data: bytes, length: int, method: int, settings: "tuple[int, int, int]") -> bytes:
    """Return the bytes of one stream."""
    one, two, three = settings
    if method == PLAIN:
        return data
    if method == LZMA:
        return expanded(data, length, one)
    if method == PLANES:
        return woven(expanded(data, length, one), two)
    n = length // one * three
    digits = expanded(data, n, 0) if method == DIGITS else decoded(data, n, two)
    return words(digits, one, two, three)


def woven(planes: bytes, size: int) -> bytes:
    """Put the bytes of each number together again; ``size`` bytes make a number."""
    out, n = bytearray(len(planes)), len(planes) // size
    for place in range(size):
        out[place::size] = planes[place * n : (place + 1) * n]
    return bytes(out)


def expanded(data: bytes, length: int, literal: int) -> bytes:
    """Undo LZMA without a header; ``literal`` is its number of context bits."""
    return lzma.decompress(data, lzma.FORMAT_RAW, filters=filters(length, literal))


def filters(length: int, literal: int) -> "list[dict[str, int]]":
    """Return the settings of LZMA for a stream of a length."""
    return [
        {
            "id": lzma.FILTER_LZMA1,
            "dict_size": min(max(4096, length), LARGEST),
            "lc": literal,
            "lp": 0,
            "pb": 0,
            "preset": 9,
        }
    ]


def words(digits: bytes, size: int, base: int, per: int) -> bytes:
    """Pack digits to a base, the first one lowest, into words of 1 or 4 bytes."""
    weights = [base**place for place in range(per)]
    values = (
        sum(d * w for d, w in zip(digits[at : at + per], weights, strict=False)) for at in range(0, len(digits), per)
    )
    return bytes(values) if size == 1 else b"".join(struct.pack("<i", value) for value in values)


def decoded(data: bytes, n: int, base: int) -> bytes:
    """Undo arithmetic coding of ``n`` digits: each is a walk down a binary tree whose branches learn their odds."""
    bits = max(1, (base - 1).bit_length())
    counts = [[1, 2] for _ in range(1 << bits)]
    low, high, code, at = 0, 0xFFFFFFFF, int.from_bytes(data[:4].ljust(4, b"\0"), "big"), 4
    digits = bytearray()
    for _ in range(n):
        node = 1
        for _ in range(bits):
            ones, all_ = counts[node]
            middle = low + (high - low) * ones // all_
            bit = code <= middle
            low, high = (low, middle) if bit else (middle + 1, high)
            learn(counts[node], bit)
            node = 2 * node + bit
            while (low ^ high) < 0x1000000:
                byte = data[at] if at < len(data) else 0
                low, high, code = (
                    (low << 8) & 0xFFFFFFFF,
                    (high << 8) & 0xFFFFFFFF | 255,
                    (code << 8) & 0xFFFFFFFF | byte,
                )
                at += 1
        digits.append(node - (1 << bits))
    return bytes(digits)


def learn(count: "list[int]", bit: bool) -> None:
    """Count one branch taken: [times 1, times either], each in halves so that neither is ever impossible."""
    count[0] += 2 * bit
    count[1] += 2
    if count[1] > LIMIT:
        count[0], count[1] = (count[0] >> 1) | 1, ((count[1] >> 1) | 1) + 1


class Numbers:
    """Reads numbers of 7 bits a byte."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def next(self) -> int:
        """Return the next number."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    packed, model = sys.argv[1:] or (here / "model.packed", here / "model.onnx")
    Path(model).write_bytes(unpacked(Path(packed).read_bytes()))
