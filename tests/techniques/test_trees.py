"""Tree ensembles: nothing changes where nothing may, little where a little may, whatever library the trees are from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnx
import onnxmltools
import onnxruntime
import pytest
import skl2onnx
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.ensemble import (
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)

from core.domain.errors import Refused
from core.formats import FORMATS
from core.onnx.files import serialised
from core.shrink.ensembles import reading
from core.shrink.ensembles.forest import Leaf, SharedForest, Split, reachable
from core.shrink.ensembles.tree_columns import apart, together
from core.techniques import TECHNIQUES
from tests.techniques.samples import apply, sample

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(600, 6)).astype(np.float32)
SUMS = ROWS[:, 0] + np.abs(ROWS[:, 1]) + 0.5 * ROWS[:, 2] * ROWS[:, 3]
THREE = np.digitize(SUMS, (0.2, 1.4))
TWO = (SUMS > 0.8).astype(int)
GAPS = np.where(RNG.random(ROWS.shape) < 0.1, np.nan, ROWS).astype(np.float32)
SEGMENT = sample("segment").source


def onnx_of(model: Any, convert: Callable[..., Any], out: Path, **options: Any) -> Path:
    """Convert a trained model of six features and write it."""
    made = convert(model, initial_types=[("x", FloatTensorType([None, 6]))], **options)
    onnx.save(made, out)
    return out


def sklearn(model: Any, out: Path) -> Path:
    """Write a model of scikit-learn; classifiers answer with arrays."""
    plain = {type(model): {"zipmap": False}} if hasattr(model, "classes_") else None
    made = skl2onnx.to_onnx(model, ROWS[:1], options=plain, target_opset={"": 18, "ai.onnx.ml": 3})
    out.write_bytes(made.SerializeToString())
    return out


def boosted(out: Path, labels: Any) -> Path:
    return sklearn(GradientBoostingClassifier(n_estimators=25, random_state=0).fit(ROWS, labels), out)


def lightgbm_of(out: Path, labels: Any) -> Path:
    model = lightgbm.LGBMClassifier(n_estimators=25, random_state=0, n_jobs=1, verbose=-1).fit(GAPS, labels)
    return onnx_of(model, onnxmltools.convert_lightgbm, out, zipmap=False, target_opset=15)


def xgboost_of(out: Path) -> Path:
    model = xgboost.XGBRegressor(n_estimators=25, max_depth=4, n_jobs=1, random_state=0).fit(GAPS, SUMS)
    return onnx_of(model, onnxmltools.convert_xgboost, out, target_opset=15)


MADE: dict[str, Callable[[Path], Path]] = {
    "boosted, three classes": lambda out: boosted(out, THREE),
    "boosted, two classes": lambda out: boosted(out, TWO),
    "words for classes": lambda out: boosted(out, np.array(["low", "middle", "high"])[THREE]),
    "lightgbm, three classes": lambda out: lightgbm_of(out, THREE),
    "lightgbm, two classes": lambda out: lightgbm_of(out, TWO),
    "xgboost regressor": xgboost_of,
    "forest, three classes": lambda out: sklearn(
        RandomForestClassifier(15, max_depth=7, random_state=0).fit(ROWS, THREE), out
    ),
    "forest of numbers": lambda out: sklearn(
        RandomForestRegressor(15, max_depth=7, random_state=0).fit(ROWS, SUMS), out
    ),
}


def answers(path: Path, rows: Any) -> list[Any]:
    """Answer rows as ONNX Runtime does."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return list(session.run(None, {session.get_inputs()[0].name: rows}))


@pytest.mark.parametrize("operator", ["newest", "kept"])
@pytest.mark.parametrize("name", MADE)
def test_cleaning_changes_no_answer(name: str, operator: str, tmp_path: Path) -> None:
    source = MADE[name](tmp_path / "m.onnx")
    out = apply("clean_trees", source, tmp_path / "out.onnx", operator=operator)
    assert out.stat().st_size < source.stat().st_size / 1.3
    rows = np.concatenate([GAPS, RNG.normal(size=(500, 6)).astype(np.float32) * 3])
    rows = rows if name.startswith(("lightgbm", "xgboost")) else np.nan_to_num(rows)
    for before, after in zip(answers(source, rows), answers(out, rows), strict=True):
        assert before.dtype == after.dtype
        same = before == after if before.dtype.kind != "f" else np.isclose(before, after, rtol=1e-5, atol=1e-5)
        assert same.mean() > 0.998


QUICK = ("boosted, two classes", "xgboost regressor")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in MADE])
def test_pruning_keeps_to_what_is_allowed(name: str, tmp_path: Path) -> None:
    source = MADE[name](tmp_path / "m.onnx")
    rows = GAPS if name.startswith(("lightgbm", "xgboost")) else ROWS
    seen, held = rows[:300], rows[300:]
    names = [value.name for value in onnx.load(source).graph.input]
    clean = apply("clean_trees", source, tmp_path / "clean.onnx").stat().st_size
    out = apply("prune_trees", source, tmp_path / "out.onnx", {names[0]: seen}, flips=0.01, error=0.05)
    assert out.stat().st_size < clean
    before, after = answers(source, held)[0].reshape(-1), answers(out, held)[0].reshape(-1)
    if before.dtype.kind == "f":
        assert np.sqrt(np.mean((before - after) ** 2)) < 0.1 * np.std(before)
    else:
        assert (before != after).mean() <= 0.04


@pytest.mark.slow
def test_the_sample_shrinks_without_a_flip_on_held_rows(tmp_path: Path) -> None:
    table = np.loadtxt(SEGMENT.parent / "test.csv", delimiter=",", skiprows=1)
    rows, labels = table[:, :18].astype(np.float32), table[:, 18]
    half = len(rows) // 2
    clean = apply("clean_trees", SEGMENT, tmp_path / "clean.onnx")
    assert SEGMENT.stat().st_size / clean.stat().st_size > 3.9
    assert (answers(clean, rows)[0] == answers(SEGMENT, rows)[0]).all()
    out = apply("prune_trees", SEGMENT, tmp_path / "out.onnx", {"x": rows[:half]})
    assert SEGMENT.stat().st_size / out.stat().st_size > 5
    before, after = (answers(path, rows[half:])[0] for path in (SEGMENT, out))
    assert (before == after).all()
    assert (after == labels[half:]).sum() == (before == labels[half:]).sum()
    again = FORMATS["onnx"].inspect(out)
    assert again.operators
    assert "ai.onnx.ml.TreeEnsemble" in again.operators


def test_what_no_number_reaches_is_dropped() -> None:
    forest = SharedForest()
    low, middle, high = (forest.add(Leaf(((0, value),))) for value in (1.0, 2.0, 3.0))
    under = forest.add(Split(0, "BRANCH_LEQ", 5.0, False, low, middle))
    forest.roots = [forest.add(Split(0, "BRANCH_LEQ", 2.0, True, under, high))]
    kept = reachable(forest, np.float32)
    assert (
        len([part for part in kept.parts if isinstance(part, Split)]) == 2
    )  # a missing value still gets to the middle
    forest.roots = [forest.add(Split(0, "BRANCH_LEQ", 2.0, False, under, high))]
    kept = reachable(forest, np.float32)
    assert [part for part in kept.parts if isinstance(part, Split)] == [Split(0, "BRANCH_LEQ", 2.0, False, 0, 1)]
    edge = forest.add(Split(0, "BRANCH_LT", 2.0, False, low, middle))
    forest.roots = [forest.add(Split(0, "BRANCH_LEQ", 2.0, False, edge, high))]
    assert len([part for part in reachable(forest, np.float32).parts if isinstance(part, Split)]) == 2


def test_trees_apart_come_together_again() -> None:
    ensemble = reading.read(onnx.load(SEGMENT).graph.node[0])
    columns = apart(ensemble.forest, 7, np.float32)
    assert together(columns, np.float32).used() == ensemble.forest.used()
    assert together(columns, np.float32).parts == ensemble.forest.parts


def test_long_lists_are_written_packed_and_read_alike(tmp_path: Path) -> None:
    model = onnx.load(SEGMENT)
    packed = serialised(model)
    assert len(packed) < 0.75 * SEGMENT.stat().st_size
    assert onnx.load_from_string(packed) == model
    (tmp_path / "m.onnx").write_bytes(packed)
    rows = RNG.normal(size=(50, 18)).astype(np.float32) * 50
    assert np.array_equal(answers(SEGMENT, rows)[1], answers(tmp_path / "m.onnx", rows)[1])
    assert FORMATS["onnx"].match(packed[:65536], (), "m.onnx")
    assert not [risk for risk in FORMATS["onnx"].audit(tmp_path / "m.onnx") if risk.level == "refuse"]
    assert FORMATS["onnx"].inspect(tmp_path / "m.onnx") == FORMATS["onnx"].inspect(SEGMENT)


def test_trees_that_answer_with_places_are_not_pruned(tmp_path: Path) -> None:
    from core.libraries.fitted import models
    from core.scoring import onnx_model
    from core.scoring.form import Input

    forest = RandomForestClassifier(12, max_leaf_nodes=30, random_state=0).fit(ROWS, THREE)
    form = models.form(forest, tuple(Input(f"x{place + 1}", "double") for place in range(6)))
    (tmp_path / "m.onnx").write_bytes(onnx_model.write(form).SerializeToString())
    with pytest.raises(Refused, match="places in a table"):
        apply("prune_trees", tmp_path / "m.onnx", tmp_path / "out.onnx", {"X": ROWS.astype(np.float64)})


def test_what_has_no_trees_or_no_samples_is_refused(tmp_path: Path) -> None:
    dense = sample("fashion_cnn").source
    for technique, source, words in (
        ("clean_trees", dense, "no tree ensemble"),
        ("prune_trees", dense, "no tree ensemble"),
        ("prune_trees", SEGMENT, "Samples are needed"),
        ("clean_trees", apply("clean_trees", SEGMENT, tmp_path / "once.onnx"), "bytes"),
    ):
        with pytest.raises(Refused) as caught:
            apply(technique, source, tmp_path / "out.onnx")
        assert words in caught.value.message
        assert caught.value.next_step
    assert TECHNIQUES["prune_trees"].applies(FORMATS["onnx"].inspect(dense))
    assert TECHNIQUES["prune_trees"].applies(FORMATS["onnx"].inspect(SEGMENT)) is None
