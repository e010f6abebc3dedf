"""Bounds the loss of a variant on samples that nobody has seen, from what it lost on the same samples as its source.

Each bound holds with 95 % by itself, so that a variant that loses just what is allowed is called PASS in 5 % at most.
Right and wrong answers: the difference of two shares of the same samples, from exact bounds of each share (Clopper and
Pearson 1934, doi:10.1093/biomet/26.4.404) put together as Newcombe (1998, Statistics in Medicine 17:2635)
and Zou and Donner (2008, doi:10.1002/sim.3095) do. The adjusted Wald interval (Agresti and Min 2005,
doi:10.1002/sim.1781) is no bound for one side: ``benchmarks/verdicts.py``. Errors of numbers: percentiles of a paired bootstrap (Efron and
Tibshirani 1993, chapter 13).
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from core.domain.loss import PairedLoss
from core.domain.report import Verdict

MISS = 0.05
"""How often a bound may be wrong."""
TAIL = 0.025
"""What is cut off the ends of a bootstrap, which is too narrow for few samples: with this it misses in 5 % at most from ``FEWEST`` on."""
POWER = 0.8416
"""Standard deviations below which a normal value lies in 80 %."""
NORMAL = 1.96
FEWEST = 100
"""Samples below which a bootstrap is not believed."""
MOVED = 30
"""Samples that must have moved before a bootstrap says how far samples move."""
RESAMPLES, CHUNK = 2000, 4_000_000
LARGEST = 1_000_000
"""Above it a number of samples is not named: nobody has them."""


def counts(lost: int, won: int, n: int) -> PairedLoss:
    """Return the loss where of ``n`` samples some answers went from right to wrong, and some back."""
    low, high = -_most(won, lost, n), _most(lost, won, n)
    return PairedLoss(n, (lost - won) / n, low, high, lost + won, lost, won)


def changes(k: int, n: int) -> PairedLoss:
    """Return the loss where ``k`` of ``n`` predictions changed and nobody knows which were right: each counts as lost."""
    return PairedLoss(n, k / n, least(k, n), most(k, n), k, k, 0)


def of(before: np.ndarray, after: np.ndarray, reach: float = 0.0, independent: int | None = None) -> PairedLoss | None:
    """Return the loss of samples [n] that were right (bool), or had a squared error (float64); None where the two are not alike.

    ``reach`` is the squared error that any may have at least, ``independent`` how many of them know nothing of each other, if not all.
    """
    if before.shape != after.shape or before.dtype != after.dtype:
        return None
    if before.dtype == bool:
        return dependent(counts(int((before & ~after).sum()), int((after & ~before).sum()), len(before)), independent)
    return growth(before, after, reach, independent)


def growth(before: np.ndarray, after: np.ndarray, reach: float = 0.0, independent: int | None = None) -> PairedLoss:
    """Return by which share the root of the mean of squared errors [n] grew.

    Of few samples nothing is said; where few moved, as many more as there may be are taken for as wrong as the worst, or as ``reach`` if that is more.
    """
    n, moved = len(before), int((before != after).sum())
    few = n if independent is None else min(independent, n)
    met, means = math.ceil(moved * few / n), (before.mean(), after.mean())
    if few < FEWEST:
        low, high = -1.0, math.inf
    elif met < MOVED:
        low, high = -1.0, _grown(means[0], means[1] + most(met, few) * max(before.max(), after.max(), reach))
    else:
        low, high = np.quantile(_resampled(before, after), (TAIL, 1 - TAIL), method="inverted_cdf")
        return dependent(PairedLoss(n, float(_grown(*means)), float(low), float(high), moved), independent)
    return PairedLoss(few, float(_grown(*means)), low, float(high), moved)


def dependent(loss: PairedLoss, n: int | None) -> PairedLoss:
    """Return the loss of samples of which no more than ``n`` know nothing of each other, as those of groups: their bounds are those of so few; None for all.

    Of errors, so many must have moved that a bootstrap saw how far they move; see ``growth``.
    """
    if n is None or n >= loss.samples:
        return loss
    rate = n / loss.samples
    if loss.lost is not None and loss.won is not None:
        few = counts(math.ceil(loss.lost * rate), math.floor(loss.won * rate), n)
        low = -_most(math.ceil(loss.won * rate), math.floor(loss.lost * rate), n)
        return replace(few, share=loss.share, low=low)
    if n < FEWEST:
        return replace(loss, samples=n, low=-1.0, high=math.inf)
    low, high = (loss.share + (side - loss.share) / math.sqrt(rate) for side in (loss.low, loss.high))
    return replace(loss, samples=n, low=low, high=high)


def verdict(loss: PairedLoss, allowed: float) -> Verdict:
    """Return PASS where the upper bound is within what is allowed, FAIL where the lower one is beyond, else NOT PROVEN."""
    if loss.high <= allowed:
        return Verdict.PASS
    return Verdict.FAIL if loss.low > allowed else Verdict.NOT_PROVEN


def needed(loss: PairedLoss, allowed: float) -> int | None:
    """Return how many samples would show, in 80 %, that a variant which moves as many answers keeps to what is allowed, if it loses nothing in truth.

    None where no number would, or none that is to be had.
    """
    if allowed <= 0:
        return None
    if loss.unseen:
        return _for_metric(loss, allowed)
    if loss.lost is None:
        return _had(_for_growth(loss, allowed))
    rate = (loss.moved + 1) / (loss.samples + 1)  # one more than seen, or few samples would ask for too few
    return _first(lambda n: _unlucky(rate / 2, rate / 2, n) <= allowed)


def needed_as_seen(loss: PairedLoss, allowed: float) -> int | None:
    """Return how many samples would show, in 80 %, that it keeps to what is allowed, or that it does not, if it loses as much on others as on these."""
    gap = abs(allowed - loss.share)
    if allowed <= 0 or gap == 0:
        return None
    if loss.unseen:
        return _for_metric(loss, gap)
    if loss.lost is None or loss.won is None:
        return _had(_for_growth(loss, gap))
    lost, won = loss.lost / loss.samples, loss.won / loss.samples
    if loss.share < allowed:
        return _first(lambda n: _unlucky(lost, won, n) <= allowed)
    return _first(lambda n: -_unlucky(won, lost, n) > allowed)


@lru_cache(maxsize=1 << 14)
def most(k: int, n: int) -> float:
    """Return the upper bound of the share of which ``k`` of ``n`` were seen."""
    return 1.0 if k >= n else _root(lambda p: _fewer(k + 1, n, p) - MISS)


@lru_cache(maxsize=1 << 14)
def least(k: int, n: int) -> float:
    """Return the lower bound of the share of which ``k`` of ``n`` were seen."""
    return 0.0 if k <= 0 else _root(lambda p: _fewer(min(k, n), n, p) - (1 - MISS))


def _most(lost: int, won: int, n: int) -> float:
    """Return the upper bound of the share lost less the share won, whose counts in the same samples are correlated."""
    p, q = lost / n, won / n
    above, below = most(lost, n) - p, q - least(won, n)
    together = math.sqrt(p * q / ((1 - p) * (1 - q))) if max(p, q) < 1 else 0.0
    return p - q + math.sqrt(above**2 + below**2 + 2 * together * above * below)


def _unlucky(lost: float, won: float, n: int) -> float:
    """Return the upper bound that a variant which loses and wins such shares of answers stays below in 80 %."""
    spread = POWER * math.sqrt(n * (lost + won)) / 2
    return _most(min(math.ceil(n * lost + spread), n), max(math.floor(n * won - spread), 0), n)


def _had(n: int) -> int | None:
    return n if n <= LARGEST else None


def _for_growth(loss: PairedLoss, gap: float) -> int:
    """Return the number of samples by the rule that an interval narrows with its root, until it is as narrow as a gap."""
    width = (loss.high - loss.low) / (2 * NORMAL) if loss.samples >= FEWEST and loss.moved >= MOVED else 0.0
    enough = loss.samples * ((NORMAL + POWER) * width / gap) ** 2
    telling = loss.samples * MOVED / loss.moved if loss.moved else math.log(MISS) / math.log1p(-min(gap, 0.99))
    return math.ceil(max(enough, telling, FEWEST))


def _for_metric(loss: PairedLoss, gap: float) -> int | None:
    """Return the number of samples at which what was seen narrows with its root, and what was not seen with the number, until both are within a gap."""
    seen, unseen = math.sqrt(max((loss.high - loss.share) ** 2 - loss.unseen**2, 0.0)), loss.unseen
    rest = gap / (1 + POWER / NORMAL)
    return _first(
        lambda n: n >= FEWEST and math.hypot(seen * math.sqrt(loss.samples / n), unseen * loss.samples / n) <= rest
    )


def _first(holds: Callable[[int], bool]) -> int | None:
    """Return about the least number of samples, to two figures, from which something holds; None where there is none up to ``LARGEST``."""
    high = 10
    while not holds(high):
        high *= 2
        if high > LARGEST:
            return None
    low = high // 2
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _root(falling: Callable[[float], float]) -> float:
    """Return where a function of a share that falls is 0."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return high


def _fewer(k: int, n: int, p: float) -> float:
    """Return the probability of fewer than ``k`` of ``n`` at a share ``p`` strictly between 0 and 1."""
    i = np.arange(1, k)
    ways = np.concatenate([[0.0], np.cumsum(np.log(n - i + 1) - np.log(i))])
    return float(np.exp(ways + np.arange(k) * math.log(p) + (n - np.arange(k)) * math.log1p(-p)).sum())


def _resampled(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the growth in samples drawn again from the samples [RESAMPLES], with a seed of its own so that equal answers give equal bounds."""
    rng, n = np.random.default_rng(0), len(before)
    step, means = max(1, CHUNK // n), []
    for start in range(0, RESAMPLES, step):
        rows = rng.integers(n, size=(min(step, RESAMPLES - start), n))
        means.append([before[rows].mean(axis=1), after[rows].mean(axis=1)])
    found: np.ndarray = _grown(*np.concatenate(means, axis=1))
    return found


def _grown(before: Any, after: Any) -> Any:
    """Return by which share the root of each mean grew; from 0 to more than that, without bounds."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(after == before, 0.0, np.sqrt(after / before) - 1)
