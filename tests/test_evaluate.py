"""Measuring a model, and comparing two files that somebody else made."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.domain.codec import encode
from core.domain.errors import Refused
from core.domain.task import Task
from core.sandbox.tools import Tools
from core.verbs import evaluate
from tests.asking import ask
from tests.faults import spoilt
from tests.test_convert import SAMPLES, bring

FASHION = SAMPLES / "fashion_cnn"


def model_of(args: dict[str, Any]) -> dict[str, Any]:
    """Return a file that was brought, without its data."""
    return {name: value for name, value in args.items() if name != "data"}


def test_equal_files_pass_and_have_equal_quality(tools: Tools) -> None:
    model, parent = bring(tools, FASHION / "model.onnx", FASHION / "test.npz"), bring(tools, FASHION / "model.pt2")
    result = ask(evaluate, tools, {**model, "against": model_of(parent)})
    assert result["against"]["parity"]["verdict"] == "PASS"
    assert result["quality"]["correct"] == result["against"]["quality"]["correct"]
    figures = {one["id"]: one["value"] for one in result["figures"]}
    assert figures.keys() >= {"balanced_accuracy", "macro_f1", "auroc", "log_loss", "calibration_error"}
    assert [one["id"] for one in result["before"]] == list(figures)
    assert figures["balanced_accuracy"] > 0.9


def test_the_metric_of_the_task_makes_the_verdict(tools: Tools, tmp_path: Path) -> None:
    samples = np.load(FASHION / "test.npz")
    np.savez(tmp_path / "few.npz", x=samples["x"][:90], y=samples["y"][:90])
    model, parent = FASHION / "model.onnx", model_of(bring(tools, FASHION / "model.pt2"))
    judged = Task(metric="macro_f1")
    for data, allowed, verdict in ((FASHION / "test.npz", 0.02, "PASS"), (tmp_path / "few.npz", 0.5, "NOT PROVEN")):
        args = bring(tools, model, data)
        args["data"] = {**args["data"], "task": encode(judged)}
        result = ask(evaluate, tools, {**args, "against": parent, "max_drop": allowed})
        kept = result["against"]["kept"]
        assert kept["verdict"] == verdict
        assert kept["reason"].startswith("F1, mean of all classes went from 0.")
        assert f"on {result['quality']['samples']:,} samples. " in kept["reason"]
    assert "Held-out samples that would settle it: about 100" in kept["reason"]
    with pytest.raises(Refused, match="Mean absolute error is not defined"):
        ask(evaluate, tools, {**args, "data": {**args["data"], "task": encode(Task(metric="mean_absolute_error"))}})


def test_changed_weight_fails(tools: Tools, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(spoilt((FASHION / "model.onnx").read_bytes()))
    result = ask(evaluate, tools, {**bring(tools, wrong), "against": model_of(bring(tools, FASHION / "model.onnx"))})
    assert result["against"]["parity"]["verdict"] == "FAIL"
    assert result["against"]["parity"]["diverges_at"]


def test_nothing_to_measure_on_is_refused(tools: Tools) -> None:
    with pytest.raises(Refused, match="nothing to measure"):
        ask(evaluate, tools, bring(tools, FASHION / "model.onnx"))


def test_pictures_in_a_zip_are_judged_as_the_arrays_that_they_are(tools: Tools, tmp_path: Path) -> None:
    samples, rows = np.load(FASHION / "test.npz"), 150
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for row in range(rows):
            out = io.BytesIO()
            Image.fromarray(np.rint(samples["x"][row, 0] * 255).astype(np.uint8)).save(out, "PNG")
            archive.writestr(f"{samples['y'][row]}/{row}.png", out.getvalue())
    np.savez(tmp_path / "arrays.npz", x=samples["x"][:rows], y=samples["y"][:rows])
    found = [
        ask(evaluate, tools, bring(tools, FASHION / "model.onnx", tmp_path / name))["quality"]
        for name in ("pictures.zip", "arrays.npz")
    ]
    assert found[0]["correct"] == found[1]["correct"]
    assert found[0]["classes"] == found[1]["classes"]
    assert found[0]["correct"]["k"] > 130
