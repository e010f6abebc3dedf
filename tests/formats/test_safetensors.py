"""safetensors whose header lies."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from core.formats import FORMATS
from tests.formats.verdict import refused

GOOD: dict[str, Any] = {
    "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
    "b": {"dtype": "I8", "shape": [4], "data_offsets": [8, 12]},
}


def write(path: Path, header: Any, data: bytes = b"\0" * 12, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def changed(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "a": {**GOOD["a"], **fields}}


HOSTILE: dict[str, dict[str, Any]] = {
    "header too long": {"header": GOOD, "length": 10**6},
    "header of petabytes": {"header": GOOD, "length": 2**60},
    "no JSON": {"header": b'{"a": '},
    "deep JSON": {"header": b'{"a":' * 100_000 + b"}" * 100_000},
    "a list in place": {"header": {"a": []}},
    "overlap": {"header": changed(data_offsets=[4, 12])},
    "gap": {"header": {"a": {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]}}},
    "shape lies": {"header": changed(shape=[3])},
    "negative": {"header": changed(shape=[-2])},
    "huge": {"header": changed(shape=[2**40, 2**40])},
    "text as shape": {"header": changed(shape="2")},
    "float as shape": {"header": changed(shape=[2.0])},
    "unknown type": {"header": changed(dtype="OBJECT")},
    "a table as type": {"header": changed(dtype={"F32": 1})},
    "extra field": {"header": changed(code="x")},
    "three offsets": {"header": changed(data_offsets=[0, 8, 8])},
    "reversed": {"header": changed(data_offsets=[8, 0])},
    "cut data": {"header": GOOD, "data": b"\0" * 11},
    "data behind": {"header": GOOD, "data": b"\0" * 13},
    "metadata of numbers": {"header": {**GOOD, "__metadata__": {"a": 1}}},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_lying_header_is_refused(kind: str, tmp_path: Path) -> None:
    assert refused(write(tmp_path / "m.safetensors", **HOSTILE[kind]))


def test_a_plain_file_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "m.safetensors", {**GOOD, "__metadata__": {"format": "pt"}})
    assert not refused(path)
    summary = FORMATS["safetensors"].inspect(path)
    assert (summary.parameters, summary.producer, summary.sparsity) == (6, "pt", 1.0)
    assert [layer.shape for layer in summary.layers] == [(2,), (4,)]
