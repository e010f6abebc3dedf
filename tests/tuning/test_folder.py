"""The command line keeps the best in a folder, however the search ends."""

import json
import zipfile
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from core.calls.bench import Bench
from core.doors.commands import main


@pytest.mark.slow
def test_the_command_line_fills_the_folder(
    few: None, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = files
    out = tmp_path / "tuned"
    words = ["tune", str(model), "--data", str(data), "--max-drop", "0.06", "-o", str(out)]
    code = main([*words, "--json"])
    result = json.loads(capsys.readouterr().out)
    verdicts = {look["point"]: look["verdict"] for look in result["looks"]}
    assert {"PASS": 0, "NOT PROVEN": 3}[verdicts[result["best"]["number"]]] == code
    assert (out / "best.onnx").stat().st_size == result["best"]["size"]
    assert "verify.py" in zipfile.ZipFile(out / "best.zip").namelist()
    assert json.loads((out / "report.json").read_text())["points"] == result["points"]
    again = ["compress", str(model), "--recipe", str(out / "recipe.json"), "--data", str(data), "--max-drop", "0.1"]
    assert main([*again, "-o", str(tmp_path / "again.onnx"), "--json"]) in (0, 3)
    capsys.readouterr()


@pytest.mark.slow
def test_stopping_the_command_line_leaves_the_best_in_the_folder(
    few: None, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, call = tmp_path / "tuned", Bench.call
    monkeypatch.setattr(
        Bench,
        "call",
        lambda self, *args, **named: stop() if (out / "best.onnx").exists() else call(self, *args, **named),
    )

    def stop() -> Any:
        raise KeyboardInterrupt

    words = ["tune", str(files[0]), "--data", str(files[1]), "--max-drop", "0.02", "-o", str(out)]
    assert main(words) == 130
    onnxruntime.InferenceSession((out / "best.onnx").read_bytes())
    assert json.loads((out / "report.json").read_text())["best"]
