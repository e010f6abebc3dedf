"""Compress from the command line down to the bundle: what is measured, on which half, and what is refused."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.answers.charts import frontier
from core.domain.errors import Refused
from core.domain.measures import Qualities
from core.domain.recipe import Step
from core.domain.report import Check, Count, Parity, Quality, Verdict
from core.domain.technique import ANY, HALVES
from core.doors.commands import main
from core.doors.samples import FOLDER
from core.proof.datasets import Dataset
from core.verbs import compress
from core.verbs.presets import PRESETS, Preset

FASHION = FOLDER / "fashion_cnn"


def portolan(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, dict[str, Any]]:
    """Run a command in this process; return its exit code and its JSON."""
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_sample_gets_smaller_and_keeps_its_quality(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ("--data", FASHION / "test.npz")
    out = ("-o", tmp_path / "half.onnx", "--bundle", tmp_path / "half.zip")
    code, value = portolan(capsys, "compress", FASHION / "model.onnx", "--technique", "float16", *data, *out)
    assert code == 0
    assert value["parity"]["verdict"] == "PASS"
    assert value["size"]["ratio"] > 1.9
    assert value["safe_on"].startswith("Every processor")
    assert value["size"]["after"] == (tmp_path / "half.onnx").stat().st_size
    held = value["quality"]["after"]["correct"]
    assert 400 < held["n"] < 600
    assert f"{held['k']:,} of {held['n']:,}" in value["parity"]["reason"]
    with zipfile.ZipFile(tmp_path / "half.zip") as archive:
        archive.extractall(tmp_path / "bundle")
    replay = subprocess.run([sys.executable, "verify.py"], cwd=tmp_path / "bundle", capture_output=True, text=True)
    assert replay.returncode == 0, replay.stdout + replay.stderr


def test_without_data_nothing_is_proven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ("-o", tmp_path / "half.onnx")
    code, value = portolan(capsys, "compress", FASHION / "model.onnx", "--technique", "float16", *out)
    assert code == 3
    assert "add a data set" in value["parity"]["reason"]


def test_a_recipe_runs_its_steps_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text('[{"transform": "float16"}, {"transform": "float16"}]')
    out = ("-o", tmp_path / "out.onnx")
    code, value = portolan(capsys, "compress", FASHION / "model.onnx", "--recipe", recipe, *out)
    assert code == 1
    assert "Float16" in value["error"]["message"]
    recipe.write_text('{"transform": 3}')
    code, value = portolan(capsys, "compress", FASHION / "model.onnx", "--recipe", recipe, *out)
    assert code == 1
    assert "not a recipe" in value["error"]["message"]
    assert not (tmp_path / "out.onnx").exists()


def test_other_formats_and_empty_recipes_are_refused() -> None:
    with pytest.raises(Refused, match="torch exported program") as caught:
        compress.plan("torch_export", [Step("float16")])
    assert "ONNX first" in caught.value.next_step
    with pytest.raises(Refused, match="no steps"):
        compress.plan("onnx", [])
    with pytest.raises(Refused, match="no technique"):
        compress.plan("onnx", [Step("nothing")])


def test_halves_share_no_sample_and_do_not_move() -> None:
    rows = np.repeat(np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32), 2, axis=0)
    words = np.array([f"kind {place // 2 % 7}" for place in range(600)])
    whole = Dataset({"x": rows, "kind": words}, np.arange(600), 600)
    parts = [whole.half(which) for which in HALVES]
    assert sum(part.n for part in parts) == 600
    assert min(part.n for part in parts) > 200
    seen = [{row.tobytes() for row in part.inputs["x"]} for part in parts]
    assert not seen[0] & seen[1]
    first = Dataset({name: array[:100] for name, array in whole.inputs.items()}, None, 100)
    assert {row.tobytes() for row in first.half("test").inputs["x"]} <= seen[1]
    only = Dataset({"x": rows[:1]}, None, 1)
    with pytest.raises(Refused, match="no sample"):
        [only.half(which) for which in HALVES]


def parity(flips: Count | None) -> Parity:
    """A comparison without a fault, with changed predictions on the data."""
    check = Check("data", 100, 0.5, 0.5, None, flips, Verdict.PASS)
    return Parity(Verdict.PASS, (check,), ANY, 1)


def quality(k: int) -> Quality:
    """Accuracy of k of 100."""
    return Quality("accuracy", k / 100, 100, Count(k, 100))


def test_the_verdict_is_about_what_was_lost() -> None:
    lost = Qualities(quality(90), quality(88))
    assert compress.judge(parity(Count(5, 100)), lost, 0.02).verdict is Verdict.PASS
    failed = compress.judge(parity(Count(5, 100)), lost, 0.01)
    assert failed.verdict is Verdict.FAIL
    assert "90 to 88 of 100" in failed.reason
    assert failed.checks[0].verdict is Verdict.FAIL
    assert compress.judge(parity(Count(1, 100)), None, 0.01).verdict is Verdict.PASS
    assert compress.judge(parity(Count(2, 100)), None, 0.01).verdict is Verdict.FAIL
    assert compress.judge(parity(None), None, 0.01).verdict is Verdict.NOT_PROVEN
    worse = Qualities(Quality("RMSE", 2.0, 100), Quality("RMSE", 2.1, 100))
    assert compress.judge(parity(None), worse, 0.04).verdict is Verdict.FAIL
    assert compress.judge(parity(None), worse, 0.06).verdict is Verdict.PASS


def test_the_frontier_keeps_what_no_smaller_variant_beats() -> None:
    points = [(100, 0.8), (200, 0.9), (200, 0.85), (300, 0.88), (400, 0.95)]
    rows = [{"bytes": size, "quality": value, "metric": "accuracy"} for size, value in points]
    assert [(one["bytes"], one["quality"]) for one in frontier(rows)] == [(100, 0.8), (200, 0.9), (400, 0.95)]
    errors = [{**one, "metric": "RMSE"} for one in rows]
    assert [(one["bytes"], one["quality"]) for one in frontier(errors)] == [(100, 0.8)]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)
def test_a_preset_is_a_recipe_of_techniques_that_are_here(preset: Preset) -> None:
    planned = compress.plan("onnx", preset.recipe.steps)
    assert len(planned) == len(preset.recipe.steps) > 1
