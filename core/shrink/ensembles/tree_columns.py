"""Trees apart from each other, as columns: asked about many rows at once, and changed node by node."""

from dataclasses import dataclass

import numpy as np

from core.onnx.typing import FloatArray, IntArray, Mask, Matrix
from core.shrink.ensembles.forest import MODES, Leaf, Real, SharedForest, Split

COMPARED = (np.less_equal, np.less, np.greater_equal, np.greater, np.equal, np.not_equal)
"""In the order of ``MODES``."""


@dataclass(frozen=True)
class TreeColumns:
    """Trees apart from each other: a row a node, leaves name themselves as both sides; ``values`` is float64 [nodes, targets]."""

    feature: IntArray
    mode: IntArray
    bound: FloatArray
    missing: Mask
    yes: IntArray
    no: IntArray
    values: Matrix
    roots: IntArray

    @property
    def is_leaf(self) -> Mask:
        """Say of each node whether it is a leaf."""
        return np.asarray(self.yes == np.arange(len(self.yes)))

    def trees_of(self, nodes: IntArray) -> IntArray:
        """Return the trees, ascending, that some nodes are of; the nodes of a tree follow its root."""
        return np.unique(np.searchsorted(self.roots, nodes, side="right") - 1)

    def leaves(self, rows: FloatArray) -> IntArray:
        """Return the node at which each row [n, features] ends in each tree; int32 [n, trees]."""
        at = np.broadcast_to(self.roots, (len(rows), len(self.roots))).copy()
        while True:
            number = np.take_along_axis(rows, self.feature[at], axis=1)
            below = np.where(
                answered(self.mode[at], number, self.bound[at], self.missing[at]), self.yes[at], self.no[at]
            )
            if np.array_equal(below, at):
                return at
            at = below


def answered(mode: IntArray, number: FloatArray, bound: FloatArray, missing: Mask) -> Mask:
    """Say for each question whether the answer is yes; modes are places in ``MODES``."""
    said = np.isnan(number) & missing
    for kind in np.unique(mode):
        with np.errstate(invalid="ignore"):
            said |= (mode == kind) & COMPARED[kind](number, bound)
    return said


def apart(forest: SharedForest, targets: int, dtype: Real) -> TreeColumns:
    """Return the trees without shared parts."""
    rows: list[Split | Leaf] = []
    sides: list[tuple[int, int]] = []
    roots = []
    for root in forest.roots:
        roots.append(len(rows))
        rows.append(forest.parts[root])
        sides.append((0, 0))
        waiting = [roots[-1]]
        while waiting:
            at = waiting.pop()
            part = rows[at]
            if isinstance(part, Leaf):
                sides[at] = (at, at)
                continue
            sides[at] = (len(rows), len(rows) + 1)
            rows += [forest.parts[part.yes], forest.parts[part.no]]
            sides += [(0, 0), (0, 0)]
            waiting += sides[at]
    values = np.zeros((len(rows), targets))
    for at, part in enumerate(rows):
        for target, weight in part.weights if isinstance(part, Leaf) else ():
            values[at, target] += weight
    asked = [part if isinstance(part, Split) else Split(0, MODES[0], 0.0, False, 0, 0) for part in rows]
    return TreeColumns(
        np.array([one.feature for one in asked], np.int32),
        np.array([MODES.index(one.mode) for one in asked], np.int8),
        np.array([one.bound for one in asked], dtype),
        np.array([one.missing for one in asked], bool),
        np.array([one for one, _ in sides], np.int32),
        np.array([two for _, two in sides], np.int32),
        values,
        np.array(roots, np.int32),
    )


def together(columns: TreeColumns, dtype: Real) -> SharedForest:
    """Return the trees with equal parts as one; a target to which a whole tree adds nothing is left out."""
    forest, done = SharedForest(), dict[int, int]()
    for root in columns.roots.tolist():
        waiting = [root]
        while waiting:
            at = waiting[-1]
            yes, no = int(columns.yes[at]), int(columns.no[at])
            if yes == at:
                held = [(t, float(dtype(v))) for t, v in enumerate(columns.values[at]) if v]
                done[waiting.pop()] = forest.add(Leaf(tuple(held)))
            elif yes in done and no in done:
                mode, missing = MODES[columns.mode[at]], bool(columns.missing[at])
                part = Split(int(columns.feature[at]), mode, float(columns.bound[at]), missing, done[yes], done[no])
                done[waiting.pop()] = forest.add(part)
            else:
                waiting.append(no if yes in done else yes)
        forest.roots.append(done[root])
    return forest
