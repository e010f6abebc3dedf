"""ONNX with data beside it: the data stays inside the zip, and inside its file."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from core.border import archives
from core.formats import FORMATS
from tests.formats.honest import linear_onnx
from tests.formats.test_onnx import external
from tests.formats.verdict import refused


def write(path: Path, model: onnx.ModelProto, **files: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.onnx", model.SerializeToString())
        for name, data in files.items():
            archive.writestr(name.replace("_", "."), data)


DATA = b"\0" * 48

HOSTILE: dict[str, Callable[[], onnx.ModelProto]] = {
    "up": lambda: external(location="../model.data"),
    "absolute": lambda: external(location="/etc/passwd"),
    "windows": lambda: external(location="..\\model.data"),
    "folder": lambda: external(location="sub/model.data"),
    "missing": lambda: external(location="other.data"),
    "no place": lambda: external(offset="0"),
    "behind the end": lambda: external(location="model.data", offset="1", length="48"),
    "too long": lambda: external(location="model.data", length=str(2**40)),
    "too short": lambda: external(location="model.data", length="4"),
    "negative": lambda: external(location="model.data", offset="-1"),
    "no number": lambda: external(location="model.data", offset="0x10"),
    "unknown key": lambda: external(location="model.data", basepath="/etc"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_data_outside_its_file_is_refused(kind: str, tmp_path: Path) -> None:
    write(tmp_path / "m.zip", HOSTILE[kind](), model_data=DATA)
    assert refused(tmp_path / "m.zip")


def test_two_models_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "m.zip", linear_onnx(), other_onnx=b"x")
    assert "2 .onnx files" in refused(tmp_path / "m.zip")


def test_a_slipping_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("model.onnx", external(location="model.data").SerializeToString())
        archive.writestr("../model.data", DATA)
    assert "outside itself" in refused(tmp_path / "m.zip")


def test_a_file_that_is_not_used_is_told(tmp_path: Path) -> None:
    write(tmp_path / "m.zip", external(location="model.data"), model_data=DATA, notes_txt=b"x")
    risks = FORMATS["onnx_external"].audit(tmp_path / "m.zip")
    assert [(risk.level, risk.where) for risk in risks] == [("warning", "notes.txt")]


def test_the_honest_zip_runs_after_it_is_unpacked(honest: dict[str, Path], tmp_path: Path) -> None:
    import onnxruntime

    for name in ("external.zip", "external-folder.zip"):
        folder = tmp_path / name
        folder.mkdir()
        model = next(path for path in archives.extract(honest[name], folder) if path.suffix == ".onnx")
        assert onnxruntime.InferenceSession(str(model)).get_inputs()[0].name == "x"
        summary = FORMATS["onnx_external"].inspect(honest[name])
        assert (summary.parameters, summary.precision) == (12, "float32")
