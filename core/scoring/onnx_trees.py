"""A forest as TreeEnsemble of ai.onnx.ml 5, which compares, adds up and answers in float64.

A leaf of the operator holds one number. Where a forest answers with several, each tree gives the row of its leaf, and
the scores are looked up and added up behind it.
"""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from core.domain.errors import Refused
from core.scoring.form import AT_MOST, BELOW, EQUAL, TreeModel
from core.scoring.onnx_graph import INT64, Graph

MODES = {AT_MOST: 0, BELOW: 1, EQUAL: 4}
"""The operator's numbers of x <= value, x < value and x == value."""
MAX_NODES = 4_000_000
"""Nodes after parts that several nodes lead to were unfolded: an operator's tree has one way to each node."""
WIDE = 512
"""Numbers a row that are looked up at once: a forest of many classes goes through in groups of trees."""


def summed(graph: Graph, forest: TreeModel) -> str:
    """Return the numbers of a forest: [batch, numbers]."""
    wide = len(forest.names)
    trees = [root for root in forest.roots if forest.feature[root] >= 0]
    still = [forest.scores[forest.yes[root]] for root in forest.roots if forest.feature[root] < 0]
    size = len(trees) if wide == 1 else max(1, WIDE // wide)
    groups = [trees[start : start + size] for start in range(0, len(trees), size or 1)]
    parts = [(_sums if wide == 1 else _looked_up)(graph, forest, group) for group in groups]
    if still or not parts:
        constant = graph.constant([[sum(column) for column in zip(*still, strict=True)] or [0.0] * wide])
        parts.append(constant if parts else graph.add("Add", graph.nothing(), constant))
    total = reduce(lambda a, b: graph.add("Add", a, b), parts)
    return total if forest.divisor == 1 else graph.add("Div", total, graph.constant(forest.divisor))


def _sums(graph: Graph, forest: TreeModel, roots: list[int]) -> str:
    grown = Trees(forest)
    for root in roots:
        grown.plant(root, 0, lambda row: forest.scores[row][0])
    return grown.operator(graph, 1)


def _looked_up(graph: Graph, forest: TreeModel, roots: list[int]) -> str:
    """Let each tree give the row of its leaf, and add up what stands there."""
    grown, rows = Trees(forest), dict[int, int]()
    for target, root in enumerate(roots):
        grown.plant(root, target, lambda row: rows.setdefault(row, len(rows)))
    places = graph.cast(grown.operator(graph, len(roots)), INT64)
    return graph.sum(graph.add("Gather", graph.constant([forest.scores[row] for row in rows]), places), 1)


class Trees:
    """One operator so far: its questions in one row, and its leaves in another."""

    def __init__(self, forest: TreeModel) -> None:
        self._forest = forest
        self._roots: list[int] = []
        self._rows: list[tuple[float, ...]] = []
        self._leaves: dict[tuple[int, float], int] = {}

    def plant(self, root: int, target: int, weight: Callable[[int], float]) -> None:
        """Add the tree below a question; ``weight`` gives the number of a leaf from its row of scores. Raises Refused."""
        forest, start, queue = self._forest, len(self._rows), [(root, False)]
        self._roots.append(start)
        for node, is_there in queue:
            yes, no, gap = forest.yes[node], forest.no[node], forest.missing[node]
            mode, value, ways = MODES[forest.test[node]], forest.value[node], ((yes, False), (no, False))
            if gap not in (yes, no) and not is_there:
                mode, value, ways = 0, math.inf, ((node, True), (gap, False))
            ends = [forest.feature[place] < 0 for place, _ in ways]
            links = [self._leaf(w[0], target, weight) if end else self._later(queue, w, start) for w, end in zip(ways, ends, strict=True)]  # fmt: skip
            self._rows.append((mode, forest.feature[node], value, *links, *ends, ways[0][0] == gap and gap == yes))
            if len(self._rows) > MAX_NODES:
                raise Refused(
                    "The trees share so many parts that ONNX cannot hold them.", "Write the file with smaller trees."
                )

    def _leaf(self, node: int, target: int, weight: Callable[[int], float]) -> int:
        return self._leaves.setdefault((target, weight(self._forest.yes[node])), len(self._leaves))

    def _later(self, queue: list[tuple[int, bool]], way: tuple[int, bool], start: int) -> int:
        queue.append(way)
        return start + len(queue) - 1

    def operator(self, graph: Graph, targets: int) -> str:
        """Add the operator: [batch, targets]."""
        modes, features, values, yes, no, yes_ends, no_ends, tracks = zip(*self._rows, strict=True)
        numbers = {
            "nodes_featureids": features, "nodes_truenodeids": yes, "nodes_falsenodeids": no, "nodes_trueleafs": yes_ends,
            "nodes_falseleafs": no_ends, "nodes_missing_value_tracks_true": tracks, "tree_roots": self._roots,
            "leaf_targetids": [target for target, _ in self._leaves],
        }  # fmt: skip
        attributes: dict[str, Any] = {name: [int(one) for one in row] for name, row in numbers.items()}
        tensors = {
            "nodes_modes": np.array(modes, np.uint8), "nodes_splits": np.array(values, np.float64),
            "leaf_weights": np.array([weight for _, weight in self._leaves], np.float64),
        }  # fmt: skip
        return graph.add(
            "TreeEnsemble", graph.table(self._forest.fields), domain="ai.onnx.ml",
            n_targets=targets, aggregate_function=1, post_transform=0, **attributes, **graph.tensors(tensors),
        )  # fmt: skip
