"""The samples that a fitted estimator keeps and compares others with, and where which of them count is not decided by their distance."""

import numpy as np

from core.libraries.sklearn import Estimator
from core.libraries.sklearn.columns import KEPT

MOST = 128
TWINS = (
    "The model keeps {count} of its {of} samples more than once with other answers, and which of the equal ones count as "
    "nearest is not defined: on such inputs the result can answer otherwise. Remove the doubles, or give a data set "
    "and test the result on the samples that it learned from."
)


def raw(model: Estimator, count: int) -> np.ndarray:
    """Return kept samples as the raw columns would hold them [samples, count], at most ``MOST``; none where the steps before cannot be taken back."""
    steps, points = _split(model)
    if points is None or points.dtype.kind != "f":
        return np.zeros((0, count))
    points = points[np.linspace(0, len(points) - 1, min(MOST, len(points))).astype(int)]
    try:
        for step in reversed(steps):
            points = points if _passes(step) else np.asarray(step.inverse_transform(points))
    except Exception:  # a step that cannot be taken back says so in many ways
        return np.zeros((0, count))
    return points if points.shape[1:] == (count,) and points.dtype.kind == "f" else np.zeros((0, count))


def undecided(model: Estimator) -> str:
    """Say for nearest neighbours that equal samples have other answers, more of them than are taken; else nothing."""
    _, points = _split(model)
    last = _last(model)
    taken, answers = getattr(last, "n_neighbors", None), getattr(last, "_y", None)
    if points is None or not isinstance(taken, int) or answers is None:
        return ""
    rows, place, counts = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    answers, place = np.asarray(answers, np.float64).reshape(len(points), -1), place.reshape(-1)
    low, high = np.full((len(rows), answers.shape[1]), np.inf), np.full((len(rows), answers.shape[1]), -np.inf)
    np.minimum.at(low, place, answers)
    np.maximum.at(high, place, answers)
    open_ = (counts > taken) & (low < high).any(axis=1)
    return TWINS.format(count=int(counts[open_].sum()), of=len(points)) if open_.any() else ""


def _last(model: Estimator) -> Estimator:
    return model.steps[-1][1] if hasattr(model, "steps") else model


def _split(model: Estimator) -> tuple[list[Estimator], np.ndarray | None]:
    """Return the steps before the last, and the samples that the last one keeps."""
    steps = [step for _, step in getattr(model, "steps", [("", model)])]
    points = next(
        (p for name in KEPT if isinstance(p := getattr(steps[-1], name, None), np.ndarray) and p.ndim == 2), None
    )
    return steps[:-1], points


def _passes(step: Estimator) -> bool:
    """Say whether a step hands complete rows on as they are."""
    return step == "passthrough" or (hasattr(step, "statistics_") and getattr(step, "indicator_", None) is None)
