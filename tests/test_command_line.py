"""The command line keeps its contract: one JSON object, exit codes, bounded time on hostile files."""

import json
import os
import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from core.doors import commands

SAMPLES = Path(__file__).parent.parent / "sample_models"
FASHION = SAMPLES / "fashion_cnn"
KEYS = {
    "format", "size", "sha256", "parameters", "inputs", "outputs", "precision", "operators", "producer", "opset",
    "dependencies", "risks",
}  # fmt: skip


def portolan(*words: object) -> tuple[int, dict[str, Any]]:
    """Run the command line with --json, and return its exit code and its object."""
    done = subprocess.run([sys.executable, "-m", "core", *map(str, words), "--json"], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    "path",
    sorted(p for p in SAMPLES.glob("*/*.*") if p.suffix in (".onnx", ".pt", ".pt2", ".skops", ".joblib")),
    ids=lambda p: f"{p.parent.name}/{p.name}",
)
def test_no_honest_sample_is_refused(path: Path) -> None:
    code, value = portolan("inspect", path)
    assert code == 0, value
    assert value.keys() >= KEYS
    assert value["size"] == path.stat().st_size


def test_convert_writes_the_file_and_its_bundle(tmp_path: Path) -> None:
    out, bundle = tmp_path / "model.onnx", tmp_path / "bundle.zip"
    code, value = portolan(
        "convert", FASHION / "model.pt2", "--to", "onnx", "--option", "opset=18", "--data", FASHION / "test.npz",
        "-o", out, "--bundle", bundle,
    )  # fmt: skip
    assert code == 0, value
    assert value.keys() >= {"artifact", "steps", "parity", "quality", "size", "seconds", "peak_rss_mb"}
    assert onnx.load(out).opset_import[0].version == 18
    assert "verify.py" in zipfile.ZipFile(bundle).namelist()
    code, value = portolan("evaluate", out, "--data", FASHION / "test.npz", "--against", FASHION / "model.pt2")
    assert code == 0
    assert value["against"]["parity"]["verdict"] == "PASS"


def test_a_task_is_guessed_written_given_again_and_a_better_one_is_named(tmp_path: Path) -> None:
    samples, out = np.load(FASHION / "test.npz"), tmp_path / "task.json"
    for row in range(60):
        path = tmp_path / "pictures" / str(samples["y"][row]) / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(255 - samples["x"][row, 0] * 255).astype(np.uint8)).save(path)
    code, value = portolan("task", FASHION / "model.onnx", "--data", tmp_path / "pictures", "-o", out)
    assert code == 0, value
    assert [step["transform"] for step in value["prepare"]] == ["picture", "resize", "scale", "layout"]
    assert len(value["shown"]) == 4
    assert "black and white exchanged" in value["better"]["sentence"]
    code, value = portolan("evaluate", FASHION / "model.onnx", "--data", tmp_path / "pictures", "--task", out)
    assert code == 0, value
    assert any("black and white exchanged" in sentence for sentence in value["read"])
    out.write_text('{"prepare": 3}')
    assert portolan("task", FASHION / "model.onnx", "--set", out)[1]["error"]["message"] == "This file is not a task."


@pytest.mark.parametrize("shelf", ["formats", "converters", "runtimes", "preprocessing", "decodings", "metrics"])
def test_listings(shelf: str) -> None:
    code, value = portolan(shelf)
    assert code == 0
    assert all(row["available"] is (row["reason"] is None) for row in value[shelf])


def test_wrong_use_is_exit_2() -> None:
    assert subprocess.run([sys.executable, "-m", "core", "convert"], capture_output=True).returncode == 2


class Payload:
    """Touches a canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


def outside(path: Path) -> None:
    """Write an ONNX model whose weights are said to lie outside its folder."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../../../../../etc/passwd")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y], [tensor])
    path.write_bytes(helper.make_model(graph).SerializeToString())


def bomb(path: Path) -> None:
    """Write a zip that unpacks to far more than it holds, dressed as a checkpoint."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        with archive.open("archive/data/0", "w", force_zip64=True) as member:
            for _ in range(3000):
                member.write(bytes(1 << 20))


def hostile(kind: str, folder: Path) -> Path:
    """Write one hostile file, made here."""
    path = folder / {"pickle": "model.pkl", "bomb": "model.pt", "empty": "model.onnx"}.get(kind, "model.onnx")
    if kind == "truncated":
        path.write_bytes((FASHION / "model.onnx").read_bytes()[:5000])
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(Payload(folder / "canary")))
    elif kind == "outside":
        outside(path)
    elif kind == "bomb":
        bomb(path)
    else:
        path.write_bytes(b"")
    return path


@pytest.mark.parametrize("kind", ["truncated", "empty", "bomb", "pickle", "outside"])
def test_hostile_file_is_exit_1_in_words_and_in_time(kind: str, tmp_path: Path) -> None:
    path = hostile(kind, tmp_path)
    begin = time.monotonic()
    code, value = portolan("inspect", path)
    assert code == 1
    assert value["error"].keys() == {"kind", "message", "next_step"}
    assert all(value["error"].values())
    assert "Traceback" not in value["error"]["message"]
    assert time.monotonic() - begin < 10
    assert not (tmp_path / "canary").exists()


def test_too_little_to_compare_is_exit_3_with_what_is_missing(tmp_path: Path) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 900, 900])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 1, 1])
    graph = helper.make_graph([helper.make_node("GlobalAveragePool", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    (tmp_path / "large.onnx").write_bytes(model.SerializeToString())
    code, value = portolan("convert", tmp_path / "large.onnx", "--to", "onnx", "-o", tmp_path / "out.onnx")
    assert code == 3, value
    assert value["parity"]["verdict"] == "NOT PROVEN"
    assert "more would settle it" in value["parity"]["reason"]


def test_commands_start_without_what_only_a_store_needs() -> None:
    code = "import core.doors.commands, sys; assert not {'pandas', 'sqlite_utils', 'altair'} & sys.modules.keys()"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, check=False).returncode == 0


def test_a_file_over_the_limit_is_refused_before_a_byte_is_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PORTOLAN_MAX_UPLOAD_MB", raising=False)
    large = tmp_path / "large.onnx"
    with large.open("wb") as file:
        file.truncate(3 << 30)
    assert commands.main(["inspect", str(large)]) == 1
    said = capsys.readouterr().err
    assert "The file has 3,072 MB; the limit is 2,048 MB." in said
    assert "PORTOLAN_MAX_UPLOAD_MB" in said
    monkeypatch.setenv("PORTOLAN_MAX_UPLOAD_MB", "1")
    data = tmp_path / "data.npz"
    data.write_bytes(bytes(2 << 20))
    assert commands.main(["evaluate", str(SAMPLES / "segment" / "model.onnx"), "--data", str(data)]) == 1
    assert "the limit is 1 MB" in capsys.readouterr().err
