"""Data files that were read wrongly without a word, with real models from file to figure: columns, labels and their order."""

import json
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnx
import pandas as pd
import pytest
import skops.io
import xgboost
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression

from core.calls import footprint
from core.domain.errors import Refused
from core.domain.report import Quality
from core.doors.commands import main
from core.proof import quality
from core.proof.dataset import Asked
from core.proof.datasets import read_dataset
from core.runtimes import runtime_for
from core.verbs import compress

RNG = np.random.default_rng(0)
ROWS = pd.DataFrame(RNG.normal(size=(300, 4)), columns=list("dcba"))
YES = ((ROWS["d"] + ROWS["c"]) > 0).astype(int)


def sorted_columns(path: Path, names: str = "abcd") -> Path:
    """Write the samples with their columns in the order of the alphabet, under these names."""
    table = ROWS[list("abcd")].set_axis(list(names), axis=1)
    table.assign(label=YES).to_csv(path, index=False)
    return path


def fitted(kind: str, folder: Path) -> tuple[Path, float]:
    """Write a model that was fitted on named columns; return its file and the accuracy that its own library has."""
    path = folder / {"skops": "m.skops", "lightgbm": "m.txt", "xgboost": "m.json"}[kind]
    if kind == "skops":
        model = LogisticRegression().fit(ROWS, YES)
        skops.io.dump(model, path)
        return path, float(model.score(ROWS, YES))
    if kind == "lightgbm":
        booster = lightgbm.train(
            {"objective": "binary", "verbose": -1, "num_threads": 1}, lightgbm.Dataset(ROWS, YES), 6
        )
        booster.save_model(path)
        return path, float(((booster.predict(ROWS) > 0.5) == YES).mean())
    trees = xgboost.XGBClassifier(n_estimators=6, n_jobs=1).fit(ROWS, YES)
    trees.save_model(path)
    return path, float(trees.score(ROWS, YES))


def evaluated(model: Path, kind: str, data: Path, **said: Any) -> Quality:
    """Return the quality of a model on a file, as a child measures it."""
    session = runtime_for(kind).open(model, kind)
    asked = Asked(said.get("label"), said.get("classes", ()), session.columns)
    return quality.evaluate(session, read_dataset(data, asked, session.signature))


@pytest.mark.parametrize("kind", ["skops", "lightgbm", "xgboost"])
def test_columns_in_another_order_give_what_the_library_gives(tmp_path: Path, kind: str) -> None:
    model, wanted = fitted(kind, tmp_path)
    found = evaluated(model, kind, sorted_columns(tmp_path / "d.csv"))
    assert found.value == pytest.approx(wanted)
    assert any("matched by name" in note for note in found.notes)
    with pytest.raises(Refused, match="takes the columns d, c, b, a, and the data set has no d, c, b, a"):
        evaluated(model, kind, sorted_columns(tmp_path / "w.csv", "pqrs"))


def test_a_converted_model_gets_the_columns_as_its_source_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, wanted = fitted("lightgbm", tmp_path)
    data = sorted_columns(tmp_path / "d.csv")
    words = ["convert", model, "--to", "onnx", "--data", data, "-o", tmp_path / "m.onnx", "--json"]
    assert main(list(map(str, words))) == 0
    sides = json.loads(capsys.readouterr().out)["quality"]
    assert [sides[side]["value"] for side in ("before", "after")] == pytest.approx([wanted, wanted])


def network(path: Path, *weights: np.ndarray) -> Path:
    """Write a network of matrix products with a rectifier between them."""
    nodes, last = [], "x"
    for place, _ in enumerate(weights):
        nodes += [helper.make_node("MatMul", [last, f"w{place}"], [f"h{place}"])]
        nodes += [helper.make_node("Relu", [f"h{place}"], [f"r{place}"])] if place + 1 < len(weights) else []
        last = nodes[-1].output[0]
    sides = [("x", weights[0].shape[0]), (last, weights[-1].shape[1])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in sides]
    arrays = [numpy_helper.from_array(one.astype(np.float32), f"w{place}") for place, one in enumerate(weights)]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], arrays)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def test_names_of_classes_are_taken_in_the_order_of_people_or_asked_for(tmp_path: Path) -> None:
    twelve, three = (network(tmp_path / f"eye{size}.onnx", np.eye(size)) for size in (12, 3))
    x = RNG.normal(size=(600, 12)).astype(np.float32)
    np.savez(tmp_path / "class12.npz", x=x, y=np.array([f"class{place}" for place in x.argmax(axis=1)]))
    found = evaluated(twelve, "onnx", tmp_path / "class12.npz")
    assert (found.correct.k, found.correct.n, found.unmet) == (600, 600, None)
    table = pd.DataFrame(RNG.normal(size=(50, 3)), columns=list("abc"))
    table.assign(label=np.array(["low", "mid", "high"])[table.to_numpy().argmax(axis=1)]).to_csv(
        tmp_path / "order.csv", index=False
    )
    unmet = evaluated(three, "onnx", tmp_path / "order.csv").unmet
    assert unmet is not None
    assert "high, low, mid (taken for 0, 1, 2 in this order) agree with 0 of 50" in unmet.message
    assert "--classes low,mid,high" in unmet.next_step
    told = evaluated(three, "onnx", tmp_path / "order.csv", classes=("low", "mid", "high"))
    assert told.correct.k == 50


@pytest.mark.slow
def test_compress_refuses_labels_that_cannot_match_and_leaves_out_rows_without_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compress, "RACE_SECONDS", 0.2)
    monkeypatch.setattr(footprint, "PROCESSES", 1)
    weights = RNG.normal(size=(16, 64)), RNG.normal(size=(64, 3))
    model = network(tmp_path / "net.onnx", *weights)
    x = RNG.normal(size=(400, 16))
    right = (np.maximum(x @ weights[0], 0) @ weights[1]).argmax(axis=1)
    words = ["compress", model, "--technique", "prune_magnitude", "--option", "share=0.9", "-o", tmp_path / "o.onnx"]

    def answer(labels: np.ndarray, *more: str) -> dict[str, Any]:
        pd.DataFrame(x).add_prefix("f").assign(label=labels).to_csv(tmp_path / "d.csv", index=False)
        assert main([*map(str, words), "--data", str(tmp_path / "d.csv"), "--json", *more]) == 1
        error: dict[str, Any] = json.loads(capsys.readouterr().out)["error"]
        return error

    one_based = answer(right + 1)
    assert "The labels 1, 2, 3 agree with 0 of" in one_based["message"]
    assert "the model answers 0, 1, 2" in one_based["message"]
    assert "--classes 1,2,3" in one_based["next_step"]
    gaps = answer(np.where(np.arange(400) < 10, np.nan, right + 1), "--classes", "1,2,3")
    assert gaps["message"].startswith("FAIL: Accuracy went from 100.00%")
    assert not (tmp_path / "o.onnx").exists()
