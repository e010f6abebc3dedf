"""Makes a forest smaller than its answers allow: splits that change little go, leaves share values, and both make up for it.

What counts is how far the sums move on the rows that the forest is shown; no labels are needed. Splits go in the order
of Ward's criterion (1963, doi:10.1080/01621459.1963.10500845), and what is left is fitted again by least squares.
"""

import heapq
from dataclasses import dataclass, replace

import numpy as np

from core.onnx import kmeans
from core.onnx.typing import FloatArray, IntArray, Matrix
from core.shrink.ensembles.tree_columns import TreeColumns

Order = list[tuple[int, Matrix]]
"""Splits in the order in which they close, each with the values of the leaf that it becomes."""
RIDGE = 0.3
"""Rows' worth of doubt about each value: leaves that no row reaches stay as they are."""
SOLVED = 40_000_000
"""Numbers in a table of rows by values up to which it is solved; leaves of larger forests keep their means."""


@dataclass(frozen=True)
class Shown:
    """What a forest said: the leaf of each row in each tree [n, trees], the sums [n, targets], and how much each row counts [n]."""

    ends: IntArray
    sums: Matrix
    weights: Matrix


def show(columns: TreeColumns, rows: FloatArray) -> Shown:
    """Ask a forest about rows [n, features]; those whose two largest sums are close count more, since they are the first to change."""
    ends = columns.leaves(rows)
    sums = columns.values[ends].sum(axis=1)
    if sums.shape[1] == 1:
        return Shown(ends, sums, np.ones(len(rows)))
    ordered = np.sort(sums, axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    weights = 1 / (margin / max(float(np.median(margin)), 1e-12) + 0.1)
    return Shown(ends, sums, weights / weights.mean())


def fewer(columns: TreeColumns, shown: Shown, order: Order) -> tuple[TreeColumns, IntArray]:
    """Return the trees with the splits of ``order`` closed, fitted to the sums that were shown, and where the rows end then."""
    up = _above(columns, order)
    ends, small = up[shown.ends], closed(columns, order)
    return (replace(small, values=_fitted(small, ends, shown, np.arange(len(up)))) if order else small), ends


def collapse(columns: TreeColumns, shown: Shown, kept: int) -> Order:
    """Return the splits to close, cheapest first, until ``kept`` are left, each with the value of the leaf that it becomes."""
    parent = np.full(len(columns.yes), -1)
    splits = np.flatnonzero(columns.yes != np.arange(len(columns.yes)))
    parent[columns.yes[splits]] = parent[columns.no[splits]] = splits
    visits = np.zeros(len(columns.yes))
    for column in shown.ends.T:
        visits += np.bincount(column, shown.weights, len(visits))
    values, closed = columns.values.copy(), columns.yes == np.arange(len(columns.yes))

    def cost(at: int) -> float:
        one, two = columns.yes[at], columns.no[at]
        both = visits[one] + visits[two]
        return float(visits[one] * visits[two] / both * np.sum((values[one] - values[two]) ** 2)) if both else 0.0

    ready: list[tuple[float, int]] = [
        (cost(at), at) for at in splits.tolist() if closed[columns.yes[at]] and closed[columns.no[at]]
    ]
    heapq.heapify(ready)
    left, order = len(splits), []
    while ready and left > kept:
        _, at = heapq.heappop(ready)
        one, two = columns.yes[at], columns.no[at]
        visits[at] = visits[one] + visits[two]
        share = visits[one] / visits[at] if visits[at] else 0.5
        values[at] = share * values[one] + (1 - share) * values[two]
        closed[at], left = True, left - 1
        order.append((int(at), values[at].copy()))
        above = parent[at]
        if above >= 0 and closed[columns.yes[above]] and closed[columns.no[above]]:
            heapq.heappush(ready, (cost(above), int(above)))
    return order


def closed(columns: TreeColumns, order: Order) -> TreeColumns:
    """Return the trees with splits turned into leaves."""
    yes, no, values = columns.yes.copy(), columns.no.copy(), columns.values.copy()
    for at, value in order:
        yes[at] = no[at] = at
        values[at] = value
    return replace(columns, yes=yes, no=no, values=values)


def _above(columns: TreeColumns, order: Order) -> IntArray:
    """Return for each node the closed one that it lies under, or itself."""
    up = np.arange(len(columns.yes))
    for at, _ in reversed(order):
        up[columns.yes[at]] = up[columns.no[at]] = up[at]
    return up


def shared(columns: TreeColumns, ends: IntArray, shown: Shown, levels: int) -> TreeColumns:
    """Return the trees with each target's numbers replaced by ``levels`` values at most, which are fitted once more."""
    values = columns.values.copy()
    codes = np.zeros(values.shape, np.int64)
    for target in range(values.shape[1]):
        used = columns.is_leaf & (values[:, target] != 0)
        if used.any():
            found = np.unique(kmeans.centres(np.sort(values[used, target]), levels))
            codes[used, target] = 1 + np.searchsorted((found[1:] + found[:-1]) / 2, values[used, target])
            values[used, target] = found[codes[used, target] - 1]
    return replace(columns, values=_fitted(replace(columns, values=values), ends, shown, codes))


def _fitted(columns: TreeColumns, ends: IntArray, shown: Shown, codes: IntArray) -> Matrix:
    """Return values whose sums come close to those shown, alike where ``codes`` [nodes] or [nodes, targets] are; zeros stay."""
    values = columns.values.copy()
    for target in range(values.shape[1]):
        code = codes if codes.ndim == 1 else codes[:, target]
        used = columns.is_leaf & (values[:, target] != 0)
        names, code_of = np.unique(code[used], return_inverse=True)
        if not used.any() or len(ends) * len(names) > SOLVED:
            continue
        place = np.full(len(used), len(names))
        place[used] = code_of
        there = ends[:, columns.trees_of(np.flatnonzero(used))]
        table = _counts(place[there], len(names))
        error = shown.sums[:, target] - values[there, target].sum(axis=1)
        scaled = table * shown.weights[:, None].astype(np.float32)
        square = (scaled.T @ table).astype(np.float64) + RIDGE * np.eye(len(names))
        values[used, target] += np.linalg.solve(square, scaled.T @ error)[code_of]
    return values


def _counts(places: IntArray, count: int) -> FloatArray:
    """Return how often each row names each value; places of ``count`` and above name none. float32 [n, count]."""
    rows = np.arange(len(places))[:, None] * (count + 1)
    counts = np.bincount((rows + places).reshape(-1), minlength=len(places) * (count + 1))
    return counts.reshape(len(places), count + 1)[:, :count].astype(np.float32)
