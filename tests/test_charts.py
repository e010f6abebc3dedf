"""Every chart is one that the engine of pages and reports can draw, also with names that strangers gave."""

import json
from dataclasses import replace

import pytest

from core.answers.charts import bars, canary, classes, tuning, variants, weights
from core.answers.report.drawing import svg
from core.domain.canary import Moment
from core.domain.report import Count, Quality
from core.domain.search import Original, Tuning
from core.domain.tuning import Cell, Goal, HeatMap, Point, Row
from core.domain.weight_change import Histogram, WeightChange
from core.domain.work import Data

NAME = 'layer "1"</text><script>.weight'
COUNT = Count(3, 40)


def quality(right: int) -> Quality:
    """Accuracy with two classes."""
    return Quality("accuracy", 0.5, 40, None, {NAME: Count(right, 20), "b": Count(10, 20)})


CELL = Cell("int8", 10, 0.3, COUNT)
ROW = Row(NAME, "MatMul", (4, 10), 40, 160, (CELL, replace(CELL, change="pruned", error=0.0)))
HEAT = HeatMap({"int8": "int8 per channel", "pruned": "pruned"}, (ROW, replace(ROW, name="b", kept=True)), 8)
POINT = Point(
    0, "one", 0, NAME, "pruning", (), 1.0, size=10, travel=8, time=0.5, memory=3.0,
    changed=COUNT, quality=0.9, metric="accuracy", within=True,
)  # fmt: skip
REFUSED = replace(POINT, number=2, size=None, travel=None, time=None, memory=None, changed=None)
BINS = Histogram(-1.0, 1.0, (1, 5, 2), (0, 8, 0))
TENSOR = WeightChange(NAME, (2, 2), (2, 2), 10, 4, 0, 2, 0.1, BINS)
VARIANT = {"variant": NAME, "family": "pruning", "bytes": 10, "size": "10 B", "quality": 0.9, "metric": "accuracy"}


def tuned(goal: str, points: tuple[Point, ...], frontier: tuple[int, ...]) -> Tuning:
    """A search with some candidates."""
    source = Original(1.0, None, 40, "0" * 64, NAME, None)
    times = {"seconds": 1.0, "budget_seconds": 60.0, "left_seconds": 0.0, "candidates_left": 0}
    known = {"ladders": (), "points": points, "frontier": frontier, "best": None, "looks": ()}
    said = {"stage": "done", "sentence": "", "heatless": "", "rule": "", "heat": None, "keep": ()}
    data = Data("0" * 64, "d.npz")
    return Tuning(minimise=Goal(goal), max_drop=0.1, seed=0, source=source, data=data, **times, **known, **said)


def some(goal: str) -> Tuning:
    """A search with one candidate within the drop, one that lost too much, and one that was refused."""
    return tuned(goal, (POINT, replace(POINT, number=1, within=False, family="recipe"), REFUSED), (0,))


CHARTS = {
    "classes": lambda: classes.class_changes(classes.class_rows(quality(12), quality(9)), "#000"),
    "layers": lambda: weights.layer_sizes(weights.layer_rows([TENSOR]), "#000"),
    "histogram": lambda: weights.histogram(BINS),
    "pareto": lambda: variants.pareto([VARIANT, {**VARIANT, "family": "original", "bytes": 40}], "#000"),
    "heat": lambda: tuning.heat(HEAT, "#000"),
    "before and after": lambda: bars.before_after([{"file": "before", "value": 1.0, "label": "1"}], "#000"),
    "operators": lambda: bars.operators({NAME: 3}, "#000"),
    **{
        f"search {goal}": lambda goal=goal: tuning.search(some(goal), "#000")
        for goal in ("size", "travel", "latency", "memory")
    },
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_can_be_drawn(name: str) -> None:
    drawn = svg(CHARTS[name]())
    assert drawn.startswith("<svg")
    assert "<script" not in drawn
    json.dumps(CHARTS[name]().to_dict())


def test_a_search_without_candidates_has_no_chart() -> None:
    assert tuning.search(tuned("size", (REFUSED,), ()), "#000") is None


def test_answers_are_counted_by_the_second_and_server_and_the_share_adds_up() -> None:
    now = 1000.0
    answers = [Moment(now - 1.5, challenger, 200, ms) for challenger, ms in ((False, 1.0), (False, 9.0), (True, 4.0))]
    compared = [Moment(now - 0.5, True, 0, 0.0, differ) for differ in (False, True)]
    rows = list(canary.seconds([*answers, *compared], now))
    assert {"ago": -1, "who": "champion", "answers": 2, "ms": 9.0} in rows
    assert {"ago": -1, "who": "challenger", "answers": 1, "ms": 4.0} in rows
    assert [row["differ"] for row in rows if "differ" in row] == [0.0, 50.0]
    assert len(canary.live(answers, now, "#000").to_dict()["vconcat"]) == 2
    assert len(canary.live([*answers, *compared], now, "#000").to_dict()["vconcat"]) == 3
