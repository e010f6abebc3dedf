"""safetensors: named weights behind a JSON header, with no code and no structure."""

import math
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeGuard

from core.domain.errors import Refused
from core.domain.format import Format, Risk, Summary, Surroundings, Tensor
from core.formats.anatomy.elements import bits
from core.formats.anatomy.findings import JsonObject, info, parse_json
from core.formats.anatomy.tensor_bytes import array
from core.formats.anatomy.weight_counts import WeightCounts

if TYPE_CHECKING:
    import numpy as np

MAX_HEADER = 100_000_000
"""The bound that the format's own reader has."""
MAX_DIMS = 64
MAX_ENTRIES = 1 << 20
KINDS = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "F8_E5M2": "float8e5m2", "F8_E4M3": "float8e4m3fn",
    "F8_E8M0": "float8e8m0", "F4": "float4", "F6_E2M3": "float6", "F6_E3M2": "float6", "I16": "int16", "U16": "uint16",
    "F16": "float16", "BF16": "bfloat16", "I32": "int32", "U32": "uint32", "F32": "float32", "F64": "float64",
    "I64": "int64", "U64": "uint64", "C64": "complex64",
}  # fmt: skip
"""NumPy's names of the format's element types."""
BROKEN = "Download or save the file again."


class Safetensors(Format):
    """The format for weights that needs no trust."""

    title = "safetensors"
    sentence = "Named weights and nothing else: safe to open, but it needs an architecture to become a model."
    suffixes = (".safetensors",)
    runs_in = Surroundings.PYTHON
    lists_tensors = True

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether a length and a JSON object stand at the start."""
        if len(head) < 10 or head[8:9] != b"{":
            return False
        return bool(2 <= struct.unpack("<Q", head[:8])[0] <= MAX_HEADER and (head[9:10] in b'"} \n\t\r'))

    def check(self, path: Path) -> Iterator[Risk]:
        """Check that the header's promises cover the bytes exactly."""
        header, start = _header(path)
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise Refused("The metadata of the file is not text.", BROKEN)
        edge = 0
        spans = sorted((_span(name, entry), name) for name, entry in header.items())
        for (first, last), name in spans:
            # Bytes that no weight owns could be a file of another kind; the format allows no holes (safetensors' README).
            if first != edge:
                raise Refused(f"The weight {name[:80]!r} overlaps another weight, or leaves a gap.", BROKEN)
            edge = last
        if start + edge != path.stat().st_size:
            raise Refused(
                f"The weights take {edge:,} bytes, but the file contains {path.stat().st_size - start:,}.", BROKEN
            )
        yield info(
            "The file contains weights without an architecture: it can be inspected, and becomes a model once its architecture is given."
        )

    def inspect(self, path: Path) -> Summary:
        """List the weights; their zeros are counted in place."""
        header, start = _header(path)
        metadata = header.pop("__metadata__", {})
        counts = WeightCounts()
        for name, entry in header.items():
            counts.add(name, KINDS[entry["dtype"]], tuple(entry["shape"]))
        _measure(path, header, start, counts)
        return Summary(
            format=self.id,
            **counts.facts,
            producer=str(metadata["format"])[:80] if "format" in metadata else None,
            dependencies=("safetensors",),
            notes={"metadata": {str(k)[:80]: str(v)[:200] for k, v in list(metadata.items())[:20]}},
        )

    def tensors(self, path: Path) -> Iterator[Tensor]:
        """Yield the weights in the order of the header."""
        header, start = _header(path)
        header.pop("__metadata__", None)
        with path.open("rb") as file:
            for name, entry in header.items():
                load = partial(_numbers, file, start, entry)
                yield Tensor(name, KINDS[entry["dtype"]], tuple(entry["shape"]), load)


def _numbers(file: BinaryIO, start: int, entry: JsonObject) -> "np.ndarray | None":
    first, last = entry["data_offsets"]
    file.seek(start + first)
    return array(file.read(last - first), KINDS[entry["dtype"]], tuple(entry["shape"]))


def entries(path: Path) -> dict[str, str]:
    """Return what the owner wrote beside the weights, without the library's own note of who saved them; nothing over 1 MB."""
    metadata = {str(k): str(v) for k, v in _header(path)[0].get("__metadata__", {}).items() if k != "format"}
    return metadata if sum(map(len, (*metadata, *metadata.values()))) <= MAX_ENTRIES else {}


def _header(path: Path) -> tuple[JsonObject, int]:
    """Return the JSON header and the place where the weights start. Raises Refused."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = struct.unpack("<Q", file.read(8).ljust(8, b"\xff"))[0]
        if length > min(MAX_HEADER, size - 8):
            raise Refused("The header is longer than the file.", BROKEN)
        header = parse_json(file.read(length), "The header")
    if not isinstance(header, dict):
        raise Refused("The header is not a table of weights.", BROKEN)
    return header, 8 + length


def _span(name: str, entry: object) -> tuple[int, int]:
    """Return where a weight starts and ends. Raises Refused when shape, dtype and place do not fit."""
    where = f"The weight {name[:80]!r}"
    if (
        not isinstance(entry, dict)
        or set(entry) != {"dtype", "shape", "data_offsets"}
        or str(entry["dtype"]) not in KINDS
    ):
        raise Refused(f"{where} is described in an unknown way.", BROKEN)
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2 or len(shape) > MAX_DIMS:
        raise Refused(f"{where} has an impossible shape or location.", BROKEN)
    needed = math.prod(shape) * bits(KINDS[entry["dtype"]])
    if needed % 8 or needed // 8 != offsets[1] - offsets[0]:
        raise Refused(f"{where} has {offsets[1] - offsets[0]:,} bytes, but its shape needs {needed // 8:,}.", BROKEN)
    return offsets[0], offsets[1]


def _counts(values: object) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**60 for value in values)


def _measure(path: Path, header: JsonObject, start: int, counts: WeightCounts) -> None:
    with path.open("rb") as file:
        for entry in header.values():
            first, last = entry["data_offsets"]
            file.seek(start + first)
            counts.measure_stream(file, last - first, KINDS[entry["dtype"]])


FORMAT = Safetensors()
