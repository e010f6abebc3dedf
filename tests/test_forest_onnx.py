"""Samples exactly on a threshold go the way that the library sends them; early stopping and float64 samples are kept."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from core.converters import CONVERTERS
from core.domain.errors import Refused
from core.domain.transform import parse_options
from core.runtimes import runtime_for
from tests.formats import made_trees


def converted(source: Path, format: str, out: Path, **options: str) -> onnxruntime.InferenceSession:
    converter = CONVERTERS[f"{format}_to_onnx"]
    converter.convert(source, out, parse_options(converter.Options, options))
    return onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("name", "format"), [("boosted.json", "xgboost"), ("boosted.txt", "lightgbm"), ("boosted.cbm", "catboost")]
)
def test_samples_on_a_threshold_are_not_changed(tmp_path: Path, name: str, format: str) -> None:
    made_trees.MODELS[name](tmp_path / name)
    session = runtime_for(format).open(tmp_path / name, format)
    kind = np.dtype(session.signature.inputs[0].dtype)
    rows = np.repeat(made_trees.ROWS[:1], 300, axis=0).astype(kind)
    for place, values in session.thresholds.items():  # type: ignore[attr-defined]
        around = np.asarray([v for v in values if abs(v) > 1e-30], kind)  # LightGBM reads 1e-35 one step off its text
        around = np.concatenate(
            [around, np.nextafter(around, kind.type(np.inf)), np.nextafter(around, -kind.type(np.inf))]
        )
        rows[: len(around), place] = around
    expected = session.run({"X": rows})
    got = converted(tmp_path / name, format, tmp_path / "m.onnx").run(None, {"X": rows})
    assert np.abs(got[1] - expected["probabilities"]).max() < 1e-6
    assert (got[0].astype(str) == expected["label"].astype(str)).all()


def test_what_is_as_good_as_zero_is_missing_to_the_step(tmp_path: Path) -> None:
    made_trees.MODELS["zeros.txt"](tmp_path / "zeros.txt")
    session = runtime_for("lightgbm").open(tmp_path / "zeros.txt", "lightgbm")
    edge = float(np.float32(1e-35))
    near = [0.0, 1e-35, edge, np.nextafter(edge, 1), np.nextafter(edge, 0), 2e-35]
    rows = np.repeat(made_trees.ROWS[:24].astype(np.float64), 2 * len(near), axis=0)
    rows[:, 0] = np.tile([sign * value for value in near for sign in (1, -1)], 24)
    expected = session.run({"X": rows})["probabilities"]
    last, first = (expected[2 * place :: 2 * len(near)] for place in (2, 3))
    assert (last != first).any()
    got = converted(tmp_path / "zeros.txt", "lightgbm", tmp_path / "m.onnx").run(None, {"X": rows})[1]
    assert np.abs(got - expected).max() < 1e-6


def test_the_scikit_learn_wrapper_stops_where_it_stopped(tmp_path: Path) -> None:
    from xgboost import XGBClassifier

    rows, classes = np.nan_to_num(made_trees.ROWS), (made_trees.CLASSES > 0).astype(int)
    model = XGBClassifier(n_estimators=50, learning_rate=1, early_stopping_rounds=2, n_jobs=1)
    model.fit(rows[:100], classes[:100], eval_set=[(rows[100:], classes[100:])], verbose=False)
    model.save_model(tmp_path / "m.json")
    assert model.get_booster().num_boosted_rounds() > model.best_iteration + 1
    got = converted(tmp_path / "m.json", "xgboost", tmp_path / "m.onnx").run(None, {"X": rows.astype(np.float32)})
    assert np.abs(got[1] - model.predict_proba(rows)).max() < 1e-6
    session = runtime_for("xgboost").open(tmp_path / "m.json", "xgboost")
    assert np.abs(session.run({"X": rows.astype(np.float32)})["probabilities"] - model.predict_proba(rows)).max() < 1e-6


def test_an_objective_without_a_link_is_refused(tmp_path: Path) -> None:
    made_trees.xgboost(tmp_path / "m.ubj", objective="binary:hinge", num_class=0, base_score=0.5)
    with pytest.raises(Refused, match="binary:hinge"):
        converted(tmp_path / "m.ubj", "xgboost", tmp_path / "m.onnx")
