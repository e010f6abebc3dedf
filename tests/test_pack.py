"""Packing: byte for byte in a bare Python, smaller than LZMA alone, and a damaged file is told."""

import lzma
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.shrink.pack import SCRIPT, encoded, packed, unpack
from tests.techniques.samples import apply, in_constants, sample


def unpacked_alone(data: bytes, folder: Path) -> bytes:
    """Unpack in a Python of its own that finds neither this project nor any installed package."""
    (folder / "unpack.py").write_bytes(SCRIPT.read_bytes())
    (folder / "model.packed").write_bytes(data)
    command = [sys.executable, "-I", "-S", "-W", "error", "unpack.py", "model.packed", "model.onnx"]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return (folder / "model.onnx").read_bytes()


@pytest.mark.parametrize("name", ["fashion_cnn", "spam_transformer", "segment"])
def test_samples_come_back_byte_for_byte(name: str, tmp_path: Path) -> None:
    model = sample(name).source.read_bytes()
    data = packed(model)
    assert len(data) < len(lzma.compress(model, preset=9))
    assert unpacked_alone(data, tmp_path) == model


@pytest.mark.parametrize("bits", [2, 3, 4, 6])
def test_digits_travel_in_fewer_bytes_than_zipped(bits: int, tmp_path: Path) -> None:
    out = apply("codebooks", sample("fashion_cnn").source, tmp_path / "out.onnx", bits=bits)
    model = out.read_bytes()
    data = packed(model)
    assert len(data) < 0.995 * len(lzma.compress(model, preset=9))
    assert unpacked_alone(data, tmp_path) == model


def test_pruned_weights_in_constant_nodes_come_back(tmp_path: Path) -> None:
    moved = in_constants(sample("fashion_cnn").source, tmp_path / "moved.onnx")
    pruned = apply("prune_magnitude", moved, tmp_path / "pruned.onnx", share=0.8)
    model = apply("codebooks", pruned, tmp_path / "both.onnx").read_bytes()
    assert unpacked_alone(packed(model), tmp_path) == model


def test_digits_take_what_their_odds_say() -> None:
    rng = np.random.default_rng(0)
    for odds in ([0.9, 0.1], [0.5, 0.3, 0.1, 0.05, 0.05], [1 / 16] * 16, [1.0]):
        digits = rng.choice(len(odds), 20000, p=odds).astype(np.uint8).tobytes()
        counts = np.bincount(np.frombuffer(digits, np.uint8))
        entropy = -float((counts * np.log2(counts / counts.sum())).sum()) / 8
        coded = encoded(digits, len(odds))
        assert unpack.decoded(coded, len(digits), len(odds)) == digits
        assert entropy <= len(coded) <= entropy * 1.01 + 40


def test_what_is_no_packed_model_or_was_changed_is_told(tmp_path: Path) -> None:
    data = bytearray(packed(sample("fashion_cnn").source.read_bytes()))
    data[-10] ^= 1
    with pytest.raises((ValueError, lzma.LZMAError)):
        unpack.unpacked(bytes(data))
    with pytest.raises(ValueError, match="not a packed model"):
        unpack.unpacked(b"PK")
