"""Packing in the jail, and the bundle that carries the packed model: it unpacks in a bare Python, and its proof replays."""

import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from core.calls.bench import Bench
from core.domain.measures import Sizes
from core.domain.work import Model
from core.doors.commands import main
from core.memory.blobs import Blob
from core.sandbox.tools import Tools
from core.shrink import pack
from core.verbs import download_size
from tests.techniques.samples import apply, sample

FASHION = sample("fashion_cnn").source


def stored(tools: Tools, path: Path) -> Model:
    """Put an ONNX file in the store."""
    blob = tools.blobs.put(path)
    return Model(blob.sha256, blob.size, "onnx")


def test_a_child_packs_what_comes_back(tools: Tools, tmp_path: Path) -> None:
    model = stored(tools, apply("codebooks", FASHION, tmp_path / "m.onnx"))
    sent = download_size.packed(Bench(tools), model)
    assert sent.blob
    data = tools.blobs.path(sent.blob.sha256).read_bytes()
    assert hashlib.sha256(pack.unpack.unpacked(data)).hexdigest() == model.sha256
    sizes = download_size.sizes(Sizes(model.size, model.size, 9, 9), sent, sent)
    assert sizes.packed_after == len(data) < model.size
    assert sizes.not_packed is None


def test_what_is_too_large_travels_zipped(tools: Tools) -> None:
    sent = download_size.packed(Bench(tools), Model("0" * 64, pack.LARGEST + 1, "onnx"))
    assert sent.blob is None
    assert "64 MB" in str(sent.reason)
    known = Sizes(9, 9, 9, 9)
    sizes = download_size.sizes(known, download_size.Packed(Blob("0" * 64, 7)), sent)
    assert sizes == replace(known, packed_before=7, packed_after=None, not_packed=sent.reason)


def test_a_packed_file_says_which_model_it_is_of(tools: Tools, tmp_path: Path) -> None:
    head = pack.packed(FASHION.read_bytes())[: pack.HEAD]
    other = stored(tools, apply("float16", FASHION, tmp_path / "m.onnx"))
    assert pack.is_of(head, stored(tools, FASHION).sha256)
    assert not pack.is_of(head, other.sha256)
    (tmp_path / "broken").write_bytes(b"no model")
    assert "DecodeError" in str(download_size.packed(Bench(tools), stored(tools, tmp_path / "broken")).reason)


def test_the_packed_bundle_unpacks_and_verifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("compress", FASHION, "--technique", "codebooks", "--travel", tmp_path / "t.zip", "-o", tmp_path / "m.onnx")
    assert main([*map(str, words), "--json"]) == 3
    value = json.loads(capsys.readouterr().out)
    size, model = value["size"], (tmp_path / "m.onnx").read_bytes()
    assert size["packed_after"] < size["zipped_after"] < size["after"] == len(model)
    assert size["packed_before"] < size["zipped_before"]
    assert value["travel"]["size"] == (tmp_path / "t.zip").stat().st_size < value["bundle"]["size"]
    for folder in ("one", "two"):
        with zipfile.ZipFile(tmp_path / "t.zip") as archive:
            archive.extractall(tmp_path / folder)
    assert not (tmp_path / "one" / "model.onnx").exists()
    words = (tmp_path / "one" / "README.txt").read_text()
    assert "python unpack.py" in words
    assert "may include samples from it" in words
    subprocess.run([sys.executable, "-I", "-S", "unpack.py"], cwd=tmp_path / "one", check=True, timeout=60)
    assert (tmp_path / "one" / "model.onnx").read_bytes() == model
    replay = subprocess.run([sys.executable, "verify.py"], cwd=tmp_path / "two", capture_output=True, text=True)
    assert replay.returncode == 0, replay.stdout + replay.stderr
