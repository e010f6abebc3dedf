"""Labels: read in the words of the model, and never taken for classes that they cannot be."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused
from core.domain.report import Quality
from core.proof import quality
from core.proof.dataset import Asked, Dataset
from core.proof.datasets import read_dataset

RNG = np.random.default_rng(0)


def asked(tmp_path: Path, x: np.ndarray, y: Any, outputs: Any, **said: Any) -> Dataset:
    """Write samples with labels, and read them for a model with these outputs."""
    np.savez(tmp_path / "d.npz", x=x, y=y)
    signature = Signature((TensorSpec("x", "float32", ("n", x.shape[1])),), outputs)
    return read_dataset(tmp_path / "d.npz", Asked(**said), signature)


def scored(tmp_path: Path, y: Any, width: int = 3, wrong: int = 0, **said: Any) -> tuple[Quality, np.ndarray]:
    """Return the quality of a model whose class is its largest input, with the labels of its answers as ``y`` makes them."""
    x = RNG.normal(size=(300, width)).astype(np.float32)
    right = x.argmax(axis=1)
    right[:wrong] = (right[:wrong] + 1) % width
    dataset = asked(tmp_path, x, y(right), (TensorSpec("l", "float32", ("n", width)),), **said)
    return quality.measured([dataset.inputs["x"]], dataset), right


def named(*names: str) -> Any:
    """Return what writes class numbers as names."""
    return lambda right: np.array(names)[right]


@pytest.mark.parametrize(
    "y",
    [
        lambda right: right,
        lambda right: right.astype(np.float32),
        lambda right: right.astype(np.uint8),
        lambda right: right.astype(str),
        lambda right: np.char.add(right.astype(str), ".0"),
        lambda right: right.astype(str).astype("S"),
        lambda right: right[:, None],
        lambda right: np.eye(3)[right],
        named("a", "b", "c"),
        named("01", "02", "10"),
        lambda right: np.array(["größe".encode(), "höhe".encode(), "länge".encode()])[right],
    ],
)
def test_labels_are_read_however_they_are_written(tmp_path: Path, y: Any) -> None:
    found, _ = scored(tmp_path, y)
    assert (found.correct.k, found.correct.n) == (300, 300)
    assert (found.unmet, found.doubt) == (None, "")


def test_names_stand_in_the_order_of_people_and_that_is_said(tmp_path: Path) -> None:
    found, _ = scored(tmp_path, named(*(f"class{place}" for place in range(12))), 12)
    assert found.correct.k == 300
    assert "class1, class2, class3" in " ".join(found.notes)
    assert set(found.classes) == {f"class{place}" for place in range(12)}


@pytest.mark.parametrize(
    ("y", "classes", "option"),
    [
        (lambda right: right + 1, 3, "1,2,3"),
        (lambda right: right.astype(float) + 1, 3, "1,2,3"),
        (lambda right: 10 * (right + 1), 3, "10,20,30"),
        (named("low", "mid", "high"), 3, "low,mid,high"),
        (named("zebra", "ape", "monkey"), 3, "zebra,ape,monkey"),
        (named(*sorted(f"class{place}" for place in range(12))), 12, ",".join(sorted(f"class{p}" for p in range(12)))),
        (lambda right: (right + 1) % 3, 3, "1,2,0"),
        (lambda right: right - 1, 3, "-1,0,1"),
    ],
)
def test_labels_that_do_not_meet_are_told_with_the_mapping_that_fits(
    tmp_path: Path, y: Any, classes: int, option: str
) -> None:
    found, _ = scored(tmp_path, y, classes, wrong=20)
    assert found.unmet is not None
    assert (
        f"--classes{'=' if option.startswith('-') else ' '}{option} (on the page: Order of the classes): so read, 280 of 300 agree"
        in found.unmet.next_step
    )
    assert found.doubt
    again, _ = scored(tmp_path, y, classes, wrong=20, classes=tuple(option.split(",")))
    assert (again.correct.k, again.unmet, again.doubt) == (280, None, "")


def test_an_honest_poor_model_is_measured_and_one_that_guesses_is_no_base(tmp_path: Path) -> None:
    poor, _ = scored(tmp_path, lambda right: np.where(RNG.random(300) < 0.5, right, RNG.integers(0, 3, 300)))
    assert (poor.unmet, poor.doubt) == (None, "")
    guessing, _ = scored(
        tmp_path, lambda right: np.where(np.arange(300) < 90, right, (right + 1 + np.arange(300) % 2) % 3)
    )
    assert guessing.value <= 1 / 3
    assert guessing.unmet is None
    assert "guessing is right in 33.3%" in guessing.doubt


def test_rows_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    def gaps(right: np.ndarray) -> np.ndarray:
        return np.where(np.arange(300) % 30 == 0, np.nan, right)

    found, _ = scored(tmp_path, gaps)
    assert (found.correct.k, found.correct.n) == (290, 290)
    assert "10 of 300 rows have no label and are left out." in found.notes
    texts, _ = scored(tmp_path, lambda right: np.where(np.arange(300) < 1, "", np.array(["a", "b", "c"])[right]))
    assert (texts.correct.k, texts.correct.n) == (299, 299)
    assert "1 of 300 rows has no label and is left out." in texts.notes
    none = asked(tmp_path, np.ones((4, 3), np.float32), np.full(4, np.nan), ())
    assert none.labels is None
    assert "No row has a label." in none.notes


def test_names_that_are_not_as_many_as_the_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"name 1 classes \(virginica\), but the model has 3") as caught:
        scored(tmp_path, lambda right: np.full(300, "virginica"))
    assert "--classes" in caught.value.next_step
    with pytest.raises(Refused, match="hold many, which is none of the classes low, mid"):
        scored(tmp_path, named("low", "mid", "many"), classes=("low", "mid"))


@pytest.mark.parametrize(
    "y",
    [
        lambda yes: yes,
        lambda yes: yes.astype(int),
        lambda yes: yes.astype(float),
        lambda yes: 2 * yes.astype(int) - 1,
        lambda yes: 2.0 * yes - 1,
        lambda yes: yes.astype(str),
        lambda yes: np.where(yes, "yes", "no"),
    ],
)
@pytest.mark.parametrize("logits", [True, False])
def test_one_score_for_yes_or_no_is_no_regression(tmp_path: Path, y: Any, logits: bool) -> None:
    z = RNG.normal(size=(200, 1)).astype(np.float32)
    dataset = asked(tmp_path, z, y(z[:, 0] > 0), (TensorSpec("p", "float32", ("n", 1)),))
    found = quality.measured([z if logits else 1 / (1 + np.exp(-z))], dataset)
    assert (found.metric, found.correct.k, found.correct.n) == ("accuracy", 200, 200)


def test_one_based_labels_for_one_score_are_no_base(tmp_path: Path) -> None:
    z = RNG.normal(size=(200, 1)).astype(np.float32)
    p, yes = 1 / (1 + np.exp(-z)), (z[:, 0] > 0).astype(int)
    outputs = (TensorSpec("p", "float32", ("n", 1)),)
    found = quality.measured([p], asked(tmp_path, z, yes + 1, outputs))
    assert found.metric == "RMSE"
    assert "1, 2 are classes, write them as 0 and 1" in found.doubt
    told = quality.measured([p], asked(tmp_path, z, yes + 1, outputs, classes=("1", "2")))
    assert told.correct.k == 200


def test_a_regression_counts_rows_with_a_number_and_must_beat_the_mean(tmp_path: Path) -> None:
    z = RNG.normal(size=(200, 1)).astype(np.float32)
    wanted = np.where(np.arange(200) == 7, np.nan, z[:, 0] + 0.1)
    outputs = (TensorSpec("p", "float32", ("n", 1)),)
    dataset = asked(tmp_path, z, wanted, outputs)
    found = quality.measured([dataset.inputs["x"]], dataset)
    assert (found.metric, found.samples, found.doubt) == ("RMSE", 199, "")
    assert found.value == pytest.approx(0.1, rel=1e-3)
    far = quality.measured([dataset.inputs["x"] + 5], dataset)
    assert "always answering the mean" in far.doubt


@pytest.mark.parametrize(
    ("written", "answered", "k"),
    [
        (["1.0", "2.0", "1.0"], ["1", "2", "1"], 3),
        (["01", "2", "1"], ["1", "2", "1"], 2),
        ([1, 2, 1], ["1", "2", "1"], 3),
        ([1.0, 2.0, np.nan], ["1", "2", "1"], 2),
        ([True, False, True], ["True", "False", "True"], 3),
        (["a", "b", "a"], ["a", "a", "a"], 2),
    ],
)
def test_labels_for_a_model_that_answers_with_texts(tmp_path: Path, written: Any, answered: Any, k: int) -> None:
    outputs = (TensorSpec("label", "str", ("n",)), TensorSpec("p", "float32", ("n", 2)))
    dataset = asked(tmp_path, np.ones((3, 1), np.float32), np.array(written), outputs)
    found = quality.measured([np.array(answered)[: dataset.n], np.ones((dataset.n, 2), np.float32)], dataset)
    assert found.correct.k == k


def test_texts_that_never_meet_are_told_what_to_rename(tmp_path: Path) -> None:
    outputs = (TensorSpec("label", "str", ("n",)), TensorSpec("p", "float32", ("n", 2)))
    answers = np.array(["no", "yes"] * 20)
    dataset = asked(tmp_path, np.ones((40, 1), np.float32), np.array([0, 1] * 20), outputs)
    found = quality.measured([answers, np.ones((40, 2), np.float32)], dataset)
    assert found.unmet is not None
    assert "0 as no, 1 as yes: so read, 40 of 40 agree" in found.unmet.next_step


def test_names_for_a_model_that_answers_with_numbers_alone(tmp_path: Path) -> None:
    answers, outputs = RNG.integers(0, 3, 90), (TensorSpec("label", "int64", ("n",)),)
    x = np.ones((90, 1), np.float32)
    found = quality.measured([answers], asked(tmp_path, x, np.array(["a", "b", "c"])[answers], outputs))
    assert found.correct.k == 90
    with pytest.raises(Refused, match="name 3 classes"):
        quality.measured([answers + 1], asked(tmp_path, x, np.array(["a", "b", "c"])[answers], outputs))
