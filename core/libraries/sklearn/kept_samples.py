"""The samples that a fitted estimator keeps and compares others with, and where which of them count is not decided by their distance."""

import numpy as np

from core.libraries.sklearn import Estimator
from core.libraries.sklearn.columns import KEPT

MOST = 128
TWINS = (
    "The model keeps {count} of its {of} samples more than once with other answers, and which of the equal ones count as "
    "nearest is not defined: on such inputs the result can answer otherwise. Remove the duplicates from the training data, "
    "or test the result on the samples that the model learned from."
)


def raw(model: Estimator, count: int) -> np.ndarray:
    """Return kept samples as the raw columns would hold them [samples, count], at most ``MOST``, first those that have an equal one with another answer; none where the steps before cannot be taken back."""
    steps, points = _split(model)
    if points is None or points.dtype.kind != "f":
        return np.zeros((0, count))
    evenly = np.linspace(0, len(points) - 1, min(MOST, len(points))).astype(int)
    chosen = np.concatenate([np.flatnonzero(_undecided(model, points)), evenly])
    points = points[list(dict.fromkeys(chosen.tolist()))[:MOST]]
    try:
        for step in reversed(steps):
            points = points if _passes(step) else np.asarray(step.inverse_transform(points))
    except Exception:  # a step that cannot be taken back says so in many ways
        return np.zeros((0, count))
    return points if points.shape[1:] == (count,) and points.dtype.kind == "f" else np.zeros((0, count))


def undecided(model: Estimator) -> str:
    """Say for nearest neighbours that equal samples have other answers, more of them than are taken; else nothing."""
    _, points = _split(model)
    if points is None or not (found := _undecided(model, points)).any():
        return ""
    return TWINS.format(count=int(found.sum()), of=len(points))


def _undecided(model: Estimator, points: np.ndarray) -> np.ndarray:
    """Say of each kept sample whether so many are equal to it that not all can be taken, and their answers are not equal [samples]."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    taken, answers = getattr(last, "n_neighbors", None), getattr(last, "_y", None)
    if not isinstance(taken, int) or answers is None:
        return np.zeros(len(points), bool)
    _, place, counts = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    answers, place = np.asarray(answers, np.float64).reshape(len(points), -1), place.reshape(-1)
    low = np.full((len(counts), answers.shape[1]), np.inf)
    high = -low
    np.minimum.at(low, place, answers)
    np.maximum.at(high, place, answers)
    return ((counts > taken) & (low < high).any(axis=1))[place]


def _split(model: Estimator) -> tuple[list[Estimator], np.ndarray | None]:
    """Return the steps before the last, and the samples that the last one keeps."""
    steps = [step for _, step in getattr(model, "steps", [("", model)])]
    kept = (getattr(steps[-1], name, None) for name in KEPT)
    return steps[:-1], next((points for points in kept if isinstance(points, np.ndarray) and points.ndim == 2), None)


def _passes(step: Estimator) -> bool:
    """Say whether a step hands complete rows on as they are."""
    return step == "passthrough" or (hasattr(step, "statistics_") and getattr(step, "indicator_", None) is None)
