"""The figures of the compression benchmark say what its page says, and hang together."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.compression import ours
from benchmarks.compression.__main__ import FIGURES, PAGE
from benchmarks.compression.data import Data, Part
from benchmarks.compression.ours import Try, strongest
from benchmarks.compression.students import SHIFT, transferred
from benchmarks.compression.table import reached, table, within
from benchmarks.compression.works import SAMPLES, SPEED, TRAVELS, WORKS, Aim
from core.techniques import TECHNIQUES

KNOWN: dict[str, Any] = json.loads(FIGURES.read_text())
ROWS = [(name, row) for name, work in KNOWN["works"].items() for row in (*work["ours"], *work["peers"])]
MEASURED = [(name, row) for name, row in ROWS if not row.get("refused")]
SOURCE = {"bytes": 1000, "packed": 900, "right": [98, 100]}


def row(right: int, same: int = 90, **more: Any) -> dict[str, Any]:
    """Return a row as the benchmark writes it."""
    race = {"ratio": 2.1, "low": 1.9, "high": 2.3}
    return {"title": "one", "right": [right, 100], "same": [same, 100], "race": race, "smaller": 4.0, **more}


def test_the_page_is_what_the_figures_say() -> None:
    assert PAGE.read_text() == table(KNOWN)


@pytest.mark.parametrize(("name", "row"), MEASURED, ids=[f"{name}: {row['title']}" for name, row in MEASURED])
def test_ratios_are_those_of_the_bytes_and_what_was_packed_came_back(name: str, row: dict[str, Any]) -> None:
    source = KNOWN["works"][name]["source"]["bytes"]
    assert row["smaller"] == pytest.approx(source / row["bytes"], abs=0.006)
    assert row["smaller_travelling"] == pytest.approx(source / row["packed"], abs=0.006)
    assert row["unpacked"] is True
    assert row["right"][0] <= row["right"][1] == row["same"][1]


def test_every_recipe_is_of_techniques_on_the_shelf() -> None:
    steps = [step for work in WORKS.values() for line in work.lines for recipe in line.recipes for step in recipe]
    assert {step.transform for step in steps} <= {technique.id for technique in TECHNIQUES}


@pytest.mark.parametrize(
    ("right", "drop", "kept"), [(98, 0.0, True), (97, 0.0, False), (97, 0.01, True), (96, 0.01, False)]
)
def test_a_file_is_within_the_drop_by_its_right_answers(right: int, drop: float, kept: bool) -> None:
    assert within(row(right), SOURCE, drop, True) is kept


def test_where_no_answer_may_change_equal_accuracy_is_not_enough() -> None:
    assert not within(row(98, same=99), SOURCE, 0.0, False)
    assert within(row(98, same=100), SOURCE, 0.0, False)


def test_a_file_that_cannot_be_timed_reaches_no_speed() -> None:
    assert reached(row(98, race="It does not run."), Aim(SPEED, 2, "")) == 0
    assert reached(row(98), Aim(SPEED, 2, "")) == 2.1
    assert reached(row(98, smaller_travelling=7.0), Aim(TRAVELS, 2, "")) == 7.0


def test_what_chooses_is_not_learned_from() -> None:
    rows = np.arange(20).reshape(10, 2)
    data = Data.cut(Part(rows, rows[:, 0]), Part(rows[:2], rows[:2, 0]), 3, "")
    assert len(data.learning) == 7
    assert len(data.choosing) == 3
    assert not set(data.learning.y) & set(data.choosing.y)


def test_the_strongest_recipe_within_the_drop_is_chosen_and_a_refused_one_never() -> None:
    found = [
        Try((), Path(str(n)), (right, 100), 0, 0, why)
        for n, (right, why) in enumerate(((99, ""), (98, ""), (99, "no"), (90, "")))
    ]
    assert strongest(found, (99, 100), 0.01) is found[1]
    assert strongest(found[3:], (99, 100), 0.01) is None


def test_a_recipe_that_learns_nothing_makes_what_the_page_says_again(tmp_path: Path) -> None:
    source, out = SAMPLES / "segment" / "model.onnx", tmp_path / "out.onnx"
    recipe = WORKS["segment"].lines[0].recipes[0]
    ours.applied(recipe, source, out, Part(np.zeros((0, 18), np.float32), np.zeros(0, np.int64)))
    made = Try(recipe, out, (0, 0), 0, 0).to_json()
    (known,) = (one for one in KNOWN["works"]["segment"]["ours"] if one["recipe"] == made["recipe"])
    assert round(source.stat().st_size / made["bytes"], 2) == known["smaller"]


def test_shifted_images_come_behind_the_others_and_keep_their_class() -> None:
    images = np.zeros((4, 1, 28, 28), np.float32)
    images[:, 0, 14, 14] = np.arange(1, 5)
    part = transferred(Part(images, np.arange(4)), 2, seed=1)
    assert len(part) == 6
    assert (part.x[:4] == images).all()
    for image, label in zip(part.x[4:, 0], part.y[4:], strict=True):
        (row,), (column,) = image.nonzero()
        assert image[row, column] == label + 1
        assert abs(row - 14) <= SHIFT
        assert abs(column - 14) <= SHIFT
