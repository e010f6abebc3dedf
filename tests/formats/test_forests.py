"""Boosted-tree files that lie: trees with circles, features and lengths out of bounds, lines off the list, and numbers turned to text."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import Refused
from core.formats import FORMATS
from core.formats.forests import catboost, lightgbm, ubjson, xgboost
from tests.formats import made_trees
from tests.formats.verdict import refused


def tree(document: dict[str, Any]) -> dict[str, Any]:
    return document["learner"]["gradient_booster"]["model"]["trees"][0]


def circle(document: dict[str, Any]) -> None:
    tree(document)["left_children"][0] = 0


def far_feature(document: dict[str, Any]) -> None:
    tree(document)["split_indices"][0] = 4


DOCUMENTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "circle": circle,
    "far feature": far_feature,
    "far child": lambda d: tree(d)["right_children"].__setitem__(0, 99),
    "negative child": lambda d: tree(d)["right_children"].__setitem__(0, -2),
    "one child": lambda d: tree(d)["right_children"].__setitem__(-1, 0),
    "another parent": lambda d: tree(d)["parents"].__setitem__(1, -3),
    "too few parents": lambda d: tree(d)["parents"].pop(),
    "short list": lambda d: tree(d)["split_conditions"].pop(),
    "text for a number": lambda d: tree(d)["split_conditions"].__setitem__(0, "1"),
    "no trees": lambda d: d["learner"]["gradient_booster"]["model"].__setitem__("trees", []),
    "far class": lambda d: d["learner"]["gradient_booster"]["model"]["tree_info"].__setitem__(0, 7),
    "linear": lambda d: d["learner"]["gradient_booster"].__setitem__("name", "gblinear"),
    "no learner": lambda d: d.__setitem__("learner", 3),
    "many features": lambda d: d["learner"]["learner_model_param"].__setitem__("num_feature", "9" * 12),
    "base score": lambda d: d["learner"]["learner_model_param"].__setitem__("base_score", "[1,2]"),
    "far category": lambda d: tree(d).update(
        categories=[1], categories_nodes=[0], categories_segments=[0], categories_sizes=[9]
    ),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_lying_document_is_refused(kind: str, honest: dict[str, Path], tmp_path: Path) -> None:
    document = json.loads(honest["boosted.json"].read_bytes())
    DOCUMENTS[kind](document)
    (tmp_path / "m.json").write_text('{"learner":' + json.dumps(document["learner"]) + "}")
    assert refused(tmp_path / "m.json")


LINES: dict[str, Callable[[str], str]] = {
    "circle": lambda text: re.sub(r"left_child=-?\d+", "left_child=0", text, count=1),
    "far feature": lambda text: re.sub(r"split_feature=\d+", "split_feature=44", text, count=1),
    "far leaf": lambda text: re.sub(r"right_child=-?\d+", "right_child=-999", text, count=1),
    "unknown line": lambda text: text.replace("num_leaves=", "command=rm\nnum_leaves=", 1),
    "wrong sizes": lambda text: re.sub(r"tree_sizes=\d+", "tree_sizes=77777", text),
    "categories that are no number": lambda text: text.replace("num_cat=0", "num_cat=nan", 1),
    "categories without a set": lambda text: text.replace("num_cat=0", "num_cat=5", 1),
    "no parameter": lambda text: text.replace("[fair_c: 1]", "../secret"),
    "a cut parameter": lambda text: text.replace("[fair_c: 1]", "[fair_"),
    "short gains": lambda text: re.sub(r"split_gain=\S+ ", "split_gain=", text, count=1),
    "counts that are none": lambda text: re.sub(r"leaf_count=\d+ ", "leaf_count=x ", text, count=1),
    "short list": lambda text: re.sub(r"leaf_value=\S+ ", "leaf_value=", text, count=1),
    "linear leaves": lambda text: text.replace("is_linear=0", "is_linear=1"),
    "no end": lambda text: text.replace("end of trees", "end"),
    "text for a number": lambda text: re.sub(r"threshold=\S+", "threshold=x", text, count=1),
}


@pytest.mark.parametrize("kind", LINES)
def test_a_lying_text_is_refused(kind: str, honest: dict[str, Path], tmp_path: Path) -> None:
    changed = LINES[kind](honest["boosted.txt"].read_text())
    assert changed != honest["boosted.txt"].read_text()
    (tmp_path / "m.txt").write_text(changed)
    assert refused(tmp_path / "m.txt")


PACKED = {
    "a length beyond the file": b"{L\x00\x00\x00\x00\x00\x00\x00\x07learnerSL\x00\x00\x00\xff\x00\x00\x00\x00",
    "a negative length": b"{L\xff\xff\xff\xff\xff\xff\xff\xff",
    "an array beyond the file": b"[$d#L\x00\x00\x10\x00\x00\x00\x00\x00",
    "deep": b"[" * 5000,
    "many nothings": b"[$Z#L\x00\x00\x10\x00\x00\x00\x00\x00",
    "an unknown kind": b"[?]",
    "bytes behind the end": b"[]x",
}


@pytest.mark.parametrize("kind", PACKED)
def test_packed_json_stays_inside_the_file(kind: str) -> None:
    with pytest.raises(Refused):
        ubjson.parse(PACKED[kind])


def test_text_and_packed_form_are_the_same_trees(honest: dict[str, Path]) -> None:
    packed, text = xgboost.forest(honest["boosted.ubj"]), xgboost.forest(honest["boosted.json"])
    assert packed.thresholds() == text.thresholds()
    assert packed.splits > 10
    assert [v for t in packed.trees for v in t.value] == pytest.approx(
        [v for t in text.trees for v in t.value], rel=1e-6
    )


@pytest.mark.parametrize("name", ["boosted.ubj", "boosted.txt", "boosted.cbm"])
def test_the_summary_tells_trees_and_answers(name: str, honest: dict[str, Path]) -> None:
    format = {"ubj": "xgboost", "txt": "lightgbm", "cbm": "catboost"}[name[-3:]]
    summary = FORMATS[format].inspect(honest[name])
    assert [(s.name, s.shape) for s in summary.signature.inputs] == [("X", ("batch", 4))]
    assert [s.shape for s in summary.signature.outputs] == [("batch",), ("batch", 3)]
    assert summary.operators is not None
    assert summary.operators["Tree"] == 12
    assert summary.producer is not None
    assert summary.notes["classes"] == 3


def test_categories_are_seen_in_both_libraries(tmp_path: Path) -> None:
    for name, reader in (("categories.ubj", xgboost), ("categories.txt", lightgbm)):
        made_trees.MODELS[name](tmp_path / name)
        forest = reader.forest(tmp_path / name)
        assert forest.categorical == (3,)
        assert {c for t in forest.trees for chosen in t.categories.values() for c in chosen} <= set(range(9))


def test_a_model_on_categories_is_inspected_and_not_converted(tmp_path: Path) -> None:
    import catboost as library
    import pandas as pd

    rows = pd.DataFrame({"a": made_trees.NUMBERS[:, 0], "b": made_trees.KINDS[:, 0].astype(int).astype(str)})
    model = library.CatBoostClassifier(iterations=2, cat_features=["b"], verbose=False, allow_writing_files=False)
    model.fit(rows, made_trees.CLASSES).save_model(str(tmp_path / "m.cbm"))
    assert not refused(tmp_path / "m.cbm")
    assert FORMATS["catboost"].inspect(tmp_path / "m.cbm").notes["other_columns"] == [1]
    with pytest.raises(Refused, match="categories"):
        catboost.forest(tmp_path / "m.cbm")
