"""Every chart is one that the engine of pages and reports can draw, also with names that strangers gave."""

import json
from typing import Any

import pytest

from core.answers import charts
from core.answers.report.drawing import svg

NAME = 'layer "1"</text><script>.weight'
COUNT = {"k": 3, "n": 40}


def quality(right: int) -> dict[str, Any]:
    """Accuracy with two classes."""
    return {"classes": {NAME: {"k": right, "n": 20}, "b": {"k": 10, "n": 20}}}


CELL = {"change": "int8", "bytes": 10, "error": 0.3, "changed": COUNT}
ROW = {"name": NAME, "parameters": 40, "cells": [CELL, {**CELL, "change": "pruned", "error": 0.0}], "kept": False}
HEAT = {"changes": {"int8": "int8 per channel", "pruned": "pruned"}, "rows": [ROW, {**ROW, "name": "b", "kept": True}]}
POINT = {
    "number": 0, "title": NAME, "family": "pruning", "size": 10, "travel": 8, "time": 0.5, "memory": 3.0,
    "changed": COUNT, "quality": 0.9, "metric": "accuracy", "within": True,
}  # fmt: skip
REFUSED = {**POINT, "number": 2, "size": None, "travel": None, "time": None, "memory": None, "changed": None}
TENSOR = {"name": NAME, "bytes_before": 10, "bytes_after": 4}
VARIANT = {"variant": NAME, "family": "pruning", "bytes": 10, "size": "10 B", "quality": 0.9, "metric": "accuracy"}
BINS = {"low": -1.0, "high": 1.0, "before": [1, 5, 2], "after": [0, 8, 0]}


def tuned(goal: str) -> dict[str, Any]:
    """A search with one candidate within the drop, one that lost too much, and one that was refused."""
    points = [POINT, {**POINT, "number": 1, "within": False, "family": "recipe"}, REFUSED]
    return {"minimise": goal, "points": points, "frontier": [0]}


CHARTS = {
    "classes": lambda: charts.class_changes(charts.class_rows(quality(12), quality(9)), "#000"),
    "layers": lambda: charts.layer_sizes(charts.layer_rows([TENSOR]), "#000"),
    "histogram": lambda: charts.histogram(BINS),
    "pareto": lambda: charts.pareto([VARIANT, {**VARIANT, "family": "original", "bytes": 40}], "#000"),
    "heat": lambda: charts.heat(HEAT, "#000"),
    "before and after": lambda: charts.before_after([{"file": "before", "value": 1.0, "label": "1"}], "#000"),
    "operators": lambda: charts.operators({NAME: 3}, "#000"),
    **{
        f"search {goal}": lambda goal=goal: charts.search(tuned(goal), "#000")
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
    assert charts.search({"minimise": "size", "points": [REFUSED], "frontier": []}, "#000") is None
