"""The way of a sample from raw data to the answer: pictures by their task, fitted pipelines step by step."""

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.calls import probe, stages
from core.calls.bench import Bench
from core.domain.codec import decode, encode
from core.domain.stages import Part, Stages
from core.domain.work import Data, Model
from core.runtimes import runtime_for
from core.sandbox.tools import Tools
from tests.conftest import SAMPLES

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="the jail and the mark are Linux's")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "SECONDS", 0.2)


def pictures(side: int, path: Path) -> Path:
    """Write a zip of two pictures of noise."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a", "b"):
            out = BytesIO()
            Image.fromarray(rng.integers(0, 255, (side, side, 3), np.uint8)).save(out, "PNG")
            archive.writestr(f"{name}.png", out.getvalue())
    return path


def test_larger_pictures_cost_before_the_model_and_not_in_it(tools: Tools, tmp_path: Path) -> None:
    bench, blob = Bench(tools), tools.blobs.put(SAMPLES / "fashion_cnn" / "model.onnx")
    model, found = Model(blob.sha256, blob.size, "onnx"), []
    golden = probe.ask(bench, model, None)
    for side in (32, 1024):
        raw = tools.blobs.put(pictures(side, tmp_path / f"{side}.zip"))
        found.append(stages.ask(bench, model, Data(raw.sha256, "pictures.zip"), golden))
    small, large = found
    assert small
    assert large
    assert list(large.shares) == [Part.BEFORE, Part.MODEL, Part.AFTER]
    assert sum(large.shares.values()) == pytest.approx(1)
    assert large.shares[Part.BEFORE] > max(0.8, small.shares[Part.BEFORE])
    assert large.total > 5 * small.total
    assert large.times[-1].name == "Choose the class"
    assert "pre-processing 9" in large.sentence or "pre-processing 8" in large.sentence
    assert decode(Stages, encode(large)) == large


def test_a_pipeline_is_timed_step_by_step_and_its_steps_give_its_answers(tools: Tools) -> None:
    path = SAMPLES / "penguins" / "model.skops"
    bench, blob = Bench(tools), tools.blobs.put(path)
    model = Model(blob.sha256, blob.size, "skops")
    found = stages.ask(bench, model, None, probe.ask(bench, model, None))
    assert found
    assert [(one.name, one.part) for one in found.times] == [
        ("Columns into a table", Part.BEFORE),
        ("columns: ColumnTransformer", Part.FEATURES),
        ("classify: LogisticRegression", Part.MODEL),
    ]
    session = runtime_for("skops").open(path, "skops")
    given = {
        spec.name: np.array(["Biscoe"] if spec.dtype == "str" else [40.0], None if spec.dtype == "str" else spec.dtype)[
            :, None
        ]
        for spec in session.signature.inputs
    }
    whole = value = given
    for _, call in session.steps():
        value = call(value)
    for name, array in session.run(whole).items():
        np.testing.assert_array_equal(array, value[name])


def test_a_model_without_steps_has_no_stages(tools: Tools) -> None:
    bench, blob = Bench(tools), tools.blobs.put(SAMPLES / "segment" / "model.skops")
    model = Model(blob.sha256, blob.size, "skops")
    assert stages.ask(bench, model, None, probe.ask(bench, model, None)) is None
