"""Scores the answers of a candidate against those of its source, sample by sample, on data that a search chooses by."""

import math

import numpy as np

from core.domain.errors import Refused
from core.domain.report import Count
from core.domain.tuning import Loss, Score
from core.proof import paired, quality
from core.proof.predictions import changed, counted, prediction
from core.proof.quality import Graded

LOST = Loss(1.0, 1.0, 0.0)
"""Of a candidate whose answers are none."""


def score(before: list[np.ndarray], after: list[np.ndarray], labels: np.ndarray | None) -> Score:
    """Return what the answers ``after`` [n, ...] lost of those ``before``.

    Raises Refused where labels do not fit, or the answers are no classes and there are no labels.
    """
    if fault := _fault(before, after):
        return Score(LOST, fault=fault)
    flips = changes(before, after)
    if labels is None:
        if flips is None:
            raise Refused(
                "The answers are not classes, and there are no labels to judge by.", "Add labels to the data."
            )
        return Score(Loss.of_changes(flips.n, flips.k, paired.most(2 * flips.k, 2 * flips.n)), changed=flips)
    old, new = quality.graded(before, labels), quality.graded(after, labels)
    return Score(_loss(old, new, flips), new.quality, flips)


def changes(before: list[np.ndarray], after: list[np.ndarray]) -> Count | None:
    """Count the samples with another prediction; None where the answers are no classes."""
    old, new = prediction(before), prediction(after, before)
    if old is None or new is None or old[0].shape != new[0].shape:
        return None
    n = counted(old[0], new[0], len(np.atleast_1d(before[0])))
    return Count(int(changed(old[0], new[0]).sum()), n) if n else None


def _fault(before: list[np.ndarray], after: list[np.ndarray]) -> str:
    if [out.shape for out in before] != [out.shape for out in after]:
        return "The answers have a different shape from those of the source."
    for old, new in zip(before, after, strict=True):
        if old.dtype.kind == new.dtype.kind == "f" and (np.isfinite(old) & ~np.isfinite(new)).any():
            return "Some answers are not finite where those of the source are."
    return ""


def _loss(old: Graded, new: Graded, flips: Count | None) -> Loss:
    if old.quality.correct is None:
        return _growth(old, new)
    lost, won = int((old.each & ~new.each).sum()), int((new.each & ~old.each).sum())
    n, bound = len(old.each), paired.counts(2 * lost, 2 * min(lost, won), 2 * len(old.each)).high
    return Loss.of_answers(n, max(flips.k if flips else 0, lost + won), lost, won, bound)


def _growth(old: Graded, new: Graded) -> Loss:
    """Return the growth of RMSE, with the standard error of a ratio of means of squares of the same samples (delta method)."""
    if not old.quality.value:
        worse = float(new.quality.value > 0)
        return Loss(worse, worse, 0.0)
    ratio, mean = new.quality.value / old.quality.value, old.quality.value**2
    spread = float(np.std(new.each - ratio**2 * old.each)) / math.sqrt(len(old.each))
    error = spread / (2 * max(ratio, 1e-12) * mean)
    return Loss(ratio - 1, ratio - 1, error, max(ratio - 1, 0.0) + paired.NORMAL * error / math.sqrt(2))
