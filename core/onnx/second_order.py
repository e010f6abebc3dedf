"""Changes the weights of a layer column by column, and lets those that are still free make up for the error.

Optimal brain surgeon (Hassibi 1993) in the order of the columns, as in SparseGPT (Frantar 2023, arXiv 2301.00774) and
GPTQ (Frantar 2022, arXiv 2210.17323): the inverse of the inputs' second moments tells how an error is best spread.
"""

from collections.abc import Callable

import numpy as np

from core.onnx.typing import IntArray, Mask, Matrix

BLOCK = 64
"""Columns of which the weights to drop are chosen at once."""

DAMPING = 0.01
"""Of the mean second moment; it keeps directions that the samples never show from moving the weights."""

WORK = 1e12
"""Cubes of the number of weights in each row, up to which rows are solved exactly; some minutes."""

Choose = Callable[[Matrix, Matrix, IntArray], Mask]
"""From columns [outputs, k], the spread of each [k] and their places in the matrix [k] to the entries that stay: boolean [outputs, k]."""

Snap = Callable[[Matrix], Matrix]
"""From a column of entries that stay to the values that they take."""


def reconstruct(
    matrix: Matrix,
    moments: Matrix,
    choose: Choose,
    snap: Snap,
    tail: int,
    order: IntArray | None = None,
    block: int = BLOCK,
) -> Matrix:
    """Return the matrix [outputs, inputs] with dropped and snapped entries and the least error on the samples.

    ``moments`` is the mean outer product of the inputs [inputs, inputs]. The last ``tail`` columns (a bias) are neither
    dropped nor snapped; they take what error is left. Columns are gone through from the largest inputs to the smallest,
    or in ``order`` with the tail at its end, and ``block`` of them are chosen among at once.
    """
    order = _order(moments, tail) if order is None else order
    work, spread = matrix[:, order].copy(), inverse(moments[np.ix_(order, order)])
    done = work.shape[1] - tail
    for start in range(0, done, block):
        stop = min(start + block, done)
        kept = choose(work[:, start:stop], np.diag(spread)[start:stop], order[start:stop])
        for place in range(start, stop):
            value = np.where(kept[:, place - start], snap(work[:, place]), 0.0)
            # A row of the Cholesky factor says what fixing its column does to the later ones, so that the inverse need
            # not be updated (GPTQ, section 3, step 3).
            error = (work[:, place] - value) / spread[place, place]
            work[:, place + 1 :] -= np.outer(error, spread[place, place + 1 :])
            work[:, place] = value
    result = np.empty_like(work)
    result[:, order] = work
    return result


def settled(matrix: Matrix, target: Matrix, moments: Matrix) -> Matrix:
    """Return the matrix with the same zeros that comes nearest to a target on the samples, row by row.

    The matrix comes back as it is where that would be too much work.
    """
    kept = matrix != 0
    if float(np.sum(kept.sum(1, dtype=np.float64) ** 3)) > WORK:
        return matrix
    damped, found = _damped(moments), np.zeros_like(matrix)
    for row, (places, wanted) in enumerate(zip(kept, target @ damped, strict=True)):
        # Every row has zeros of its own, so that no two share a system of equations.
        found[row, places] = np.linalg.solve(damped[np.ix_(places, places)], wanted[places])
    return found


def recentred(matrix: Matrix, target: Matrix, moments: Matrix, tail: int) -> Matrix:
    """Return the matrix with the same entries equal to one another, at the values that come nearest to a target on the samples.

    Zeros stay zero. The ``tail`` columns are free. The matrix comes back as it is where that would be too much work.
    """
    head = matrix.shape[1] - tail
    values, places = np.unique(matrix[:, :head], return_inverse=True)
    places, damped = places.reshape(len(matrix), head), _damped(moments)
    if len(matrix) * float(head) ** 2 * len(values) > WORK:
        return matrix
    product, wanted = np.zeros((len(values),) * 2), np.zeros(len(values))
    # A Schur complement: the tail is free, so that only what it cannot make up for counts as error.
    inner = damped[:head, :head] - _explained(damped, head)
    for row, goal in zip(places, (target[:, :head] @ inner), strict=True):
        # Entries with one value are one unknown: their normal equations are added up.
        mask = np.eye(len(values))[row]
        product += mask.T @ inner @ mask
        wanted += mask.T @ goal
    free = values != 0
    fitted = np.zeros(len(values))
    fitted[free] = np.linalg.lstsq(product[np.ix_(free, free)], wanted[free], rcond=None)[0]
    return _with_tail(fitted[places], target, damped)


def _explained(damped: Matrix, head: int) -> Matrix | float:
    """Return what of the moments of the head the tail makes up for."""
    tail = damped[head:, head:]
    return damped[:head, head:] @ np.linalg.solve(tail, damped[head:, :head]) if len(tail) else 0.0


def _with_tail(found: Matrix, target: Matrix, damped: Matrix) -> Matrix:
    """Return a head with the tail that makes up best for its errors."""
    head = found.shape[1]
    if head == target.shape[1]:
        return found
    missing = (target[:, :head] - found) @ damped[:head, head:] @ np.linalg.inv(damped[head:, head:])
    return np.concatenate([found, target[:, head:] + missing], axis=1)


def refit(matrix: Matrix, moments: Matrix, crossed: Matrix) -> Matrix:
    """Return the matrix that gives, on inputs as they are now, the answers nearest to those it gave on its old inputs."""
    # Written as a correction of the matrix, so that damping pulls towards its old weights and not towards zero.
    return matrix + matrix @ (crossed - moments) @ np.linalg.inv(_damped(moments))


def inverse(moments: Matrix) -> Matrix:
    """Return U, upper triangular, with U.T @ U the inverse of the damped second moments."""
    # NumPy gives the lower factor L with L @ L.T; columns are fixed from the left, which takes the upper one.
    return np.linalg.cholesky(np.linalg.inv(_damped(moments))).T


def _damped(moments: Matrix) -> Matrix:
    return moments + np.eye(len(moments)) * DAMPING * max(float(np.mean(np.diag(moments))), 1e-12)


def _order(moments: Matrix, tail: int) -> IntArray:
    """Return the columns with the largest inputs first and the tail last."""
    head = len(moments) - tail
    # What matters most is rounded while most other columns are still free to make up for it.
    return np.concatenate([np.argsort(-np.diag(moments)[:head], kind="stable"), np.arange(head, len(moments))])
