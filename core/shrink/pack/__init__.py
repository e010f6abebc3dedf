"""Packs an ONNX file for travel: each tensor by the method that makes it smallest, the rest together.

What comes back is the file, byte for byte; ``unpack.py`` beside it does that with the standard library alone.
"""

import hashlib
import lzma
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.domain.errors import Refused
from core.onnx import weights
from core.onnx.bit_packing import packing
from core.onnx.typing import IntArray, ModelProto
from core.shrink.pack import unpack

LEAST = 48
"""Bytes below which a tensor stays among the rest."""

CODED = 3_000_000
"""Bytes of digits in a model up to which they are coded by their odds: Python takes back some 300,000 a second."""

LARGE = 1_000_000
"""Bytes from which a tensor is tried with the one method that fits its type best."""

LARGEST = 64_000_000
"""Bytes of a file up to which it is packed: 0.5 s a MB of float32 and twice that of integers, with 0.5 GB of memory."""

HEAD = 40
"""Bytes at the beginning that say which model comes back."""

SEEN = 65536
"""Words that tell the base of their digits."""

WORDS = (np.uint8, np.int32)
"""Types of tensors that may hold digits."""

SCRIPT = Path(unpack.__file__)
"""The script that goes along."""


@dataclass(frozen=True)
class Stream:
    """The bytes of one part of the model, in one method."""

    length: int
    method: int
    settings: tuple[int, int, int]
    data: bytes


Coder = Callable[[IntArray, int, int], Stream]
"""From words, the base of their digits and the digits in a word to a stream."""


def packed(model: bytes) -> bytes:
    """Return an ONNX file packed. Raises Refused when it does not come back as it was."""
    parts = places(model)
    rest, end = b"", 0
    for start, array in parts:
        rest, end = rest + model[end:start], start + array.nbytes
    rest += model[end:]
    words = sum(array.nbytes for _, array in parts if array.dtype in WORDS)
    coders = (_digit, _coded) if words <= CODED else (_digit,)
    streams = [(0, smallest(rest, None, coders)), *((start, smallest(a.tobytes(), a, coders)) for start, a in parts)]
    result = written(model, streams)
    # Checked on every file, not in tests alone: there is no second copy of what is lost here.
    if unpack.unpacked(result) != model:
        raise Refused("The packed file did not unpack to the original bytes.", "Download the model unpacked.")
    return result


def is_of(head: bytes, sha256: str) -> bool:
    """Say whether the first ``HEAD`` bytes of a packed file promise the model with this SHA-256, in hexadecimal."""
    return head == unpack.MAGIC + bytes.fromhex(sha256)


def places(model: bytes) -> list[tuple[int, np.ndarray]]:
    """Return where in the file the values of its tensors lie, in order, each as an array."""
    import onnx

    found, at = [], 0
    for tensor in _tensors(onnx.load_from_string(model)):
        values = tensor.tobytes()
        # The values of raw_data stand in the file as they are; those of typed fields are not found, and stay in the
        # rest.
        start = model.find(values, at)
        if start >= 0:
            found.append((start, tensor))
            at = start + len(values)
    return found


def smallest(data: bytes, array: np.ndarray | None, coders: tuple[Coder, ...]) -> Stream:
    """Return the stream that takes the fewest bytes; ``coders`` are those for integers that hold digits."""
    options = [Stream(len(data), unpack.PLAIN, (0, 0, 0), data)]
    width = 1 if array is None else array.itemsize
    if width > 1:
        # Bytes with sign and exponent are alike from number to number, the others are noise: apart, they compress.
        planes = np.frombuffer(data, np.uint8).reshape(-1, width).T.tobytes()
        options.append(Stream(len(data), unpack.PLANES, (0, width, 0), squeezed(planes, 0)))
    if len(data) < LARGE or width == 1:
        # Bits of the byte before that LZMA takes as context (lc, 4 at most); which number is best depends on the
        # tensor.
        tried = (0, 2, 3, 4) if len(data) < LARGE else (0,)
        options += [Stream(len(data), unpack.LZMA, (bits, 0, 0), squeezed(data, bits)) for bits in tried]
    if array is not None and array.dtype in WORDS and array.min() >= 0:
        base, per = _base(array.reshape(-1))
        options += [coder(array.reshape(-1), base, per) for coder in coders if base]
    return min(options, key=lambda stream: len(stream.data))


def squeezed(data: bytes, literal: int) -> bytes:
    """Return bytes under LZMA without a header."""
    return lzma.compress(data, lzma.FORMAT_RAW, filters=unpack.filters(len(data), literal))


def encoded(digits: bytes, base: int) -> bytes:
    """Return digits under arithmetic coding; see ``unpack.decoded``."""
    bits = max(1, (base - 1).bit_length())
    counts = [[1, 2] for _ in range(1 << bits)]
    low, high, out = 0, 0xFFFFFFFF, bytearray()
    for digit in digits:
        node = 1
        for place in range(bits - 1, -1, -1):
            bit = digit >> place & 1
            ones, all_ = counts[node]
            middle = low + (high - low) * ones // all_
            low, high = (low, middle) if bit else (middle + 1, high)
            unpack.learn(counts[node], bool(bit))
            node = 2 * node + bit
            # Once the bounds agree in their first byte it cannot change any more and goes out, as in lpaq's coder.
            while (low ^ high) < 0x1000000:
                out.append(high >> 24)
                low, high = (low << 8) & 0xFFFFFFFF, (high << 8) & 0xFFFFFFFF | 255
    # Any number between the bounds ends the code.
    return bytes(out) + (low + (high - low) // 2).to_bytes(4, "big")


def written(model: bytes, streams: list[tuple[int, Stream]]) -> bytes:
    """Return the file of streams; see ``unpack`` for its form."""
    headers = [(start, s.length, s.method, *s.settings, len(s.data)) for start, s in streams]
    numbers = b"".join(_number(value) for value in (len(streams), *(value for header in headers for value in header)))
    return b"".join([unpack.MAGIC, hashlib.sha256(model).digest(), numbers, *(stream.data for _, stream in streams)])


def _tensors(model: ModelProto) -> list[np.ndarray]:
    """Return the tensors in the order of a written file: those of nodes before the initializers of their graph."""
    from onnx import numpy_helper

    found: list[np.ndarray] = []
    for graph in weights.graphs(model.graph):
        inner = [a.t for node in graph.node for a in node.attribute if a.HasField("t")]
        found += [numpy_helper.to_array(t) for t in (*inner, *graph.initializer) if t.data_type != t.STRING]
    return [array for array in found if array.nbytes >= LEAST]


def _base(values: IntArray) -> tuple[int, int]:
    """Return the base of the digits in words, and the digits in one; it is the one whose digits are the least even.

    (0, 0) where no base fits.
    """
    fitting = [(base, per) for base in range(2, 257) for dtype, per in [packing(base)] if dtype == values.dtype]
    tried = [(base, per) for base, per in fitting if int(values.max()) < base**per]
    return min(tried, key=lambda one: _entropy(_digits(values[:SEEN], *one)), default=(0, 0))


def _digit(values: IntArray, base: int, per: int) -> Stream:
    digits = _digits(values, base, per).tobytes()
    return Stream(values.nbytes, unpack.DIGITS, (values.itemsize, base, per), squeezed(digits, 0))


def _coded(values: IntArray, base: int, per: int) -> Stream:
    digits = _digits(values, base, per).tobytes()
    return Stream(values.nbytes, unpack.CODED, (values.itemsize, base, per), encoded(digits, base))


def _digits(values: IntArray, base: int, per: int) -> IntArray:
    return (
        (values.astype(np.int64)[:, None] // base ** np.arange(per, dtype=np.int64) % base).astype(np.uint8).reshape(-1)
    )


def _entropy(digits: IntArray) -> float:
    """Return the bits that the digits take if each one is coded by how often it is there."""
    counts = np.bincount(digits)
    counts = counts[counts > 0]
    return float(-(counts * np.log2(counts / counts.sum())).sum())


def _number(value: int) -> bytes:
    """Return a number in 7 bits a byte, lowest first."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
