"""Finds the few values that stand for many: k-means on a line, exact in its steps because sorted values fall into runs."""

import numpy as np

from core.onnx.typing import FloatArray, IntArray, Matrix

ROUNDS = 300
"""Rounds after which the search ends; most tensors settle within a few dozen."""

ZEROS = 0.1
"""Share of zeros from which zero stays a value of its own, so that pruned weights stay pruned."""


def shared(array: FloatArray, levels: int) -> FloatArray:
    """Return the array with each entry replaced by the nearest of at most ``levels`` values, in its own dtype and shape."""
    flat = array.reshape(-1).astype(np.float64)
    free = flat != 0 if np.count_nonzero(flat) < (1 - ZEROS) * flat.size else np.ones(flat.size, bool)
    if not free.any():
        return array
    found = centres(np.sort(flat[free]), levels if free.all() else levels - 1)
    flat[free] = nearest(flat[free], found)
    # Adding zero turns -0.0 into 0.0, which would otherwise be stored as two values.
    return (flat + 0.0).astype(array.dtype).reshape(array.shape)


def centres(ordered: Matrix, levels: int) -> Matrix:
    """Return the centres of k-means over ascending float64 values, from a linear start as in Han 2016 (arXiv 1510.00149)."""
    # Prefix sums give the mean of any run of sorted values in two look-ups.
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    found = np.linspace(ordered[0], ordered[-1], max(levels, 1))
    edges: IntArray | None = None
    for _ in range(ROUNDS):
        # A value belongs to the nearest centre, so the midpoints between centres bound the runs.
        cuts = np.searchsorted(ordered, (found[1:] + found[:-1]) / 2)
        bounds = np.concatenate([[0], cuts, [len(ordered)]])
        if edges is not None and np.array_equal(bounds, edges):
            break
        edges, counts = bounds, np.diff(bounds)
        # A centre without members has no mean and stays where it is.
        found = np.where(counts > 0, np.diff(sums[bounds]) / np.maximum(counts, 1), found)
    return found


def nearest(values: Matrix, found: Matrix) -> Matrix:
    """Return the nearest of some ascending centres for each value."""
    return found[np.searchsorted((found[1:] + found[:-1]) / 2, values)]
