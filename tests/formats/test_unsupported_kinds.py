"""Files of other kinds: each is told what it seems to be, whatever its name says."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.domain.errors import Refused
from core.formats import recognise
from core.formats.unsupported_kinds import UNSUPPORTED_KINDS


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return out.getvalue()


def npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, x=np.ones(3))
    return out.getvalue()


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return out.getvalue()


FILES: dict[str, tuple[str, bytes | Callable[[], bytes], str]] = {
    "empty": ("m.onnx", b"", "empty"),
    "lfs": ("m.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "Git LFS"),
    "web page": ("m.onnx", b"<!DOCTYPE html><html><title>404</title>", "web page"),
    "web page in capitals": ("m.pt", b"\n <HTML><body>Sign in", "web page"),
    "keras": ("m.keras", lambda: zipped("run/metadata.json", "run/config.json", "run/model.weights.h5"), "Keras"),
    "gguf": ("m.gguf", b"GGUF\x03\0\0\0", "GGUF"),
    "lone bin": ("m.bin", b"\xd3\x91\x07\x11\xfe\x42" * 40, "only weights"),
    "openvino": ("m.xml", b'<?xml version="1.0"?><net name="a" version="11"></net>', "OpenVINO"),
    "xml": ("m.xml", b'<?xml version="1.0"?><a/>', "XML"),
    "saved model": ("saved_model.pb", b"\x08\x01\x12\x05abcde", "SavedModel"),
    "saved model in a deep folder": (
        "m.zip",
        lambda: zipped("a/m/saved_model.pb", "a/m/variables/variables.index"),
        "SavedModel",
    ),
    "core ml": ("m.mlmodel", b"\x08\x04\x12\x00", "Core ML"),
    "core ml zip": ("m.zip", lambda: zipped("m.mlpackage/Manifest.json"), "Core ML"),
    "tensorflow.js": ("model.json", b'{"format": "layers-model", "modelTopology": {}}', "TensorFlow.js"),
    "tensorflow.js zip": ("m.zip", lambda: zipped("model.json", "group1-shard1of1.bin"), "TensorFlow.js"),
    "tensorflow.js zip of a browser": ("m.zip", lambda: zipped("m/model.json", "m/model.weights.bin"), "TensorFlow.js"),
    "tensorflow.js zip of face-api": ("m.zip", lambda: zipped("a-weights_manifest.json", "a-shard1"), "TensorFlow.js"),
    "fastText": ("lid.176.ftz", b"\xba\x16\x4f\x2f\x0c\0\0\0" + b"\x10\0\0\0" * 12, "fastText"),
    "fastText under another name": ("m.bin", b"\xba\x16\x4f\x2f\x0c\0\0\0" + b"\x10\0\0\0" * 12, "fastText"),
    "CRFsuite": ("tagger.model", b"lCRF\xd0\x10\x19\0FOMC\x64\0\0\0", "CRFsuite"),
    "ggml": ("m.bin", b"lmgg\x10\0\0\0silero", "GGML"),
    "old joblib": ("m.pkl", b"ZF0x1a2b                 x\x9c", "joblib"),
    "paddle": ("m.pdmodel", b"\x0a\x00\x01", "Paddle"),
    "xgboost binary": ("m.model", b"binf\0\0\0\x3f" + b"\0" * 20, "old binary form"),
    "ncnn": ("m.param", b"7767517\n3 3\n", "ncnn"),
    "npz": ("data.npz", npz, "NumPy arrays"),
    "npy": ("data.npy", b"\x93NUMPY\x01\0", "NumPy array"),
    "csv": ("data.csv", b"a,b,c\n1,2,3\n4,5,6\n", "table"),
    "csv in disguise": ("data.onnx", b"a,b,c\n1,2,3\n4,5,6\n", "table"),
    "parquet": ("data.parquet", b"PAR1\x15", "Parquet"),
    "png": ("a.png", b"\x89PNG\r\n\x1a\n", "picture"),
    "jpeg": ("a.jpg", b"\xff\xd8\xff\xe0", "picture"),
    "pictures": ("a.zip", lambda: zipped("cat/1.png", "dog/2.jpg"), "pictures"),
    "pdf": ("paper.pdf", b"%PDF-1.7", "PDF"),
    "elf": ("lib.so", b"\x7fELF\x02", "Linux"),
    "windows": ("a.exe", b"MZ" + b"\0" * 100, "Windows"),
    "tar": ("m.tar", tar, "tar archive"),
    "tar.gz": ("m.tar.gz", lambda: gzip.compress(tar()), "gzip"),
    "7z": ("m.7z", b"7z\xbc\xaf\x27\x1c\0\x04", "7z"),
    "rar": ("m.rar", b"Rar!\x1a\x07\x01\0", "RAR"),
    "zstd": ("m.zst", b"\x28\xb5\x2f\xfd\0", "Zstandard"),
    "lz4": ("m.lz4", b"\x04\x22\x4d\x18\0", "LZ4"),
    "wheel": ("a.whl", lambda: zipped("a/__init__.py", "a-1.dist-info/METADATA"), "wheel"),
    "office": ("a.docx", lambda: zipped("[Content_Types].xml", "word/document.xml"), "office"),
    "zip of one model": ("m.zip", lambda: zipped("model.onnx"), "model.onnx"),
    "zip of a checkpoint": ("m.zip", lambda: zipped("run/weights.pt", "run/log.txt"), "weights.pt"),
    "zip of nothing": ("m.zip", lambda: zipped("readme.txt"), "without a model"),
    "json": ("config.json", b'{"hidden": 3}', "JSON"),
    "python": ("model.py", b"import torch\n", "Python"),
    "text": ("readme.md", b"A model.\n\nIt is good.\n", "text"),
    "zeros": ("m.onnx", b"\0" * 5000, "zero bytes"),
    "noise": ("m.onnx", b"\xd3\x91\x07\x11\xfe\x42" * 40, "damaged or something else"),
    "noise without a name": ("m.xyz", b"\xd3\x91\x07\x11\xfe\x42" * 40, "unknown kind"),
}


@pytest.mark.parametrize("kind", FILES)
def test_an_unsupported_kind_is_named_and_told_what_to_do(kind: str, tmp_path: Path) -> None:
    name, data, word = FILES[kind]
    path = tmp_path / "upload"
    path.write_bytes(data if isinstance(data, bytes) else data())
    with pytest.raises(Refused) as caught:
        recognise(path, name)
    assert word in caught.value.message
    assert caught.value.next_step.endswith(".")


def test_every_unsupported_kind_speaks_in_sentences() -> None:
    assert all(s.next_step.endswith(".") and not s.what.endswith(".") for s in UNSUPPORTED_KINDS)
    assert len({s.what for s in UNSUPPORTED_KINDS}) == len(UNSUPPORTED_KINDS)
