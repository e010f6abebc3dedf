"""Bounds the loss of a metric that is no mean of right answers, from the same samples drawn again and again.

Percentiles of a paired bootstrap (Efron and Tibshirani 1993, chapter 13), with two things on top that a bootstrap
cannot see: changes too rare to be among the samples, which count as for as wrong as can be, class by class, up to the
exact bound of their share (Clopper and Pearson 1934); and the bias of a metric that chance alone raises. Spreads are put
together as Zou and Donner (2008, doi:10.1002/sim.3095) do. ``benchmarks/metrics.py`` draws how often a bound holds.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from core.domain.loss import PairedLoss
from core.domain.metric import Answers, Metric, Needs
from core.proof import paired
from core.proof.paired import CHUNK, FEWEST, MOVED, RESAMPLES, TAIL

FEWEST_OF_CLASS = 10
"""Samples of a class below which nothing is said of it, where every class counts as much as another."""


def loss(metric: Metric, before: Answers, after: Answers, independent: int | None = None) -> PairedLoss | None:
    """Return what was lost between two answers to the same samples; None where these are not alike, or the figure is not defined for one of both.

    Where only so many samples are ``independent``, as those of groups, all counts are scaled to them: what was not seen
    is bounded for so few, and what was seen is as much wider as the root of their share.
    """
    if len(before.labels) != len(after.labels) or not np.array_equal(before.labels, after.labels):
        return None
    old, new = metric.each(before), metric.each(after)
    if old.dtype == new.dtype == bool:
        return paired.of(old, new, independent=independent)
    share = _defined(metric, before, after)
    if share is None:
        return None
    moved = np.abs(new - old) > metric.step
    few = len(old) if independent is None else min(independent, len(old))
    rate, found = few / len(old), PairedLoss(few, share, -math.inf, math.inf, int(moved.sum()))
    if few < FEWEST:
        return found
    if metric.by_class and np.unique(before.labels, return_counts=True)[1].min() * rate < FEWEST_OF_CLASS:
        return replace(found, unseen=math.inf)
    drawn = lost(metric, *_drawn(metric, before, after))
    if np.isnan(drawn).any():
        return replace(found, unseen=math.inf)
    low, high = np.quantile(drawn, (TAIL, 1 - TAIL), method="inverted_cdf")
    if not math.isfinite(share):
        return replace(found, low=float(low) if few == len(old) else -math.inf)
    unseen = math.hypot(*(_defined(metric, after, one) or 0.0 for one in _worse(metric, before, after, moved, rate)))
    wider = 1 / math.sqrt(rate)
    low = share - max(share - low, 0.0) * wider - metric.bias(after) * wider
    high = share + math.hypot(max(high - share, 0.0) * wider, unseen) + metric.bias(before) * wider
    return replace(found, low=float(low), high=float(high), unseen=unseen)


def lost(metric: Metric, before: Any, after: Any) -> Any:
    """Return the loss between figures: in points, or by which share an error grew."""
    if not metric.grows:
        return before - after if metric.higher else after - before
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.equal(after, before), 0.0, np.divide(after, before) - 1)


def _defined(metric: Metric, before: Answers, after: Answers) -> float | None:
    old, new = metric.value(before), metric.value(after)
    if old is None or new is None or not (math.isfinite(old) and math.isfinite(new)):
        return None
    return float(lost(metric, old, new))


def _drawn(metric: Metric, before: Answers, after: Answers) -> tuple[np.ndarray, np.ndarray]:
    """Return both figures in samples drawn again from the samples [RESAMPLES], with a seed of its own so that equal answers give equal bounds."""
    rng, n = np.random.default_rng(0), len(before.labels)
    sides, step, figures = (metric.parts(before), metric.parts(after)), max(1, CHUNK // n), []
    for start in range(0, RESAMPLES, step):
        draws = min(step, RESAMPLES - start)
        rows = rng.integers(n, size=(draws, n)) + np.arange(draws)[:, None] * n
        for times in np.bincount(rows.reshape(-1), minlength=draws * n).reshape(draws, n).astype(np.float64):
            figures += [metric.weighed(side, times) for side in sides]
    return np.array(figures[::2]), np.array(figures[1::2])


def _worse(metric: Metric, before: Answers, after: Answers, moved: np.ndarray, rate: float) -> Iterator[Answers]:
    """Yield the answers as they may be where changes are too rare to be among the samples: of each class in turn, or of all."""
    classes = metric.needs in (Needs.CLASSES, Needs.SCORES)
    kinds = np.unique(after.labels) if classes else [None]
    for kind in kinds:
        own = after.labels == kind if kind is not None else np.ones(len(moved), bool)
        n, k = int(own.sum()), int((own & moved).sum())
        met, few = math.ceil(k * rate), math.ceil(n * rate)
        if met >= MOVED:
            continue
        same = np.flatnonzero(own & ~moved & (after.found == after.labels if classes else True))
        yield spoiled(before, after, same[: math.ceil(n * paired.most(met, few)) - k], metric.needs)


def spoiled(before: Answers, after: Answers, rows: np.ndarray, needs: Needs) -> Answers:
    """Return answers of which some are as wrong as can be: the rarest other class, the label with the least score, an error as large as any and as all labels are apart, or no text."""
    labels, found = after.labels, after.found.copy()
    if needs is Needs.TEXTS:
        found[rows] = ""
    elif needs is Needs.NUMBERS:
        worst = max(abs(one.found - one.labels).max() for one in (before, after))
        found[rows] = labels[rows] + max(worst, labels.max() - labels.min())
    elif needs is Needs.CLASSES:
        names, counts = np.unique(labels, return_counts=True)
        rare = names[np.argsort(counts)]
        found[rows] = [next((one for one in rare[:2] if one != label), label) for label in labels[rows]]
    else:
        scores = after.scores.copy()
        least, own = scores[rows].argmin(axis=1), labels[rows]
        scores[rows, own], scores[rows, least] = scores[rows, least], scores[rows, own]
        return replace(after, scores=scores, found=scores.argmax(axis=1))
    return replace(after, found=found)
