"""What a model predicts of each sample, as far as its answers tell: a class, a yes or no, or nothing."""

import numpy as np

HALF = 0.5
"""Above it a probability says yes."""


def prediction(outputs: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Return the predicted class of each sample and the scores behind it, or None when the answers are no classes.

    A label output (whole numbers, text or truth) decides; else a first output of one probability a sample beside
    states of three dimensions or more, or one of a mask [n, 1, height, width], by more or less than a half; else the
    largest of the last dimension of the first output of numbers that has at least two there.
    """
    found = (out for out in outputs if out.dtype.kind == "f" and out.ndim >= 2 and out.shape[-1] >= 2 and out.size)
    scores, place = next(found, None), label(outputs)
    if place is None and (odds := _odds(outputs, scores)) is not None:
        return (odds > HALF).astype(np.int64).reshape(-1, 1), np.stack([1 - odds, odds], -1).reshape(-1, 2)
    if place is not None:
        rows = outputs[place].reshape(len(outputs[place]), -1)
        return rows, scores if scores is not None and scores.ndim == 2 and len(scores) == len(rows) else None
    return None if scores is None else (scores.argmax(axis=-1).reshape(len(scores), -1), scores)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Say of each prediction whether it is another [n] bool."""
    return (before != after).any(axis=1) if before.shape == after.shape else np.ones(len(before), bool)


def counted(before: np.ndarray, after: np.ndarray, samples: int) -> int:
    """Return how many predictions there are; of the places of a mask, of which most are background, those where either says yes."""
    if len(before) <= samples or before.shape != after.shape:
        return len(before)
    return int(np.count_nonzero((before != 0) | (after != 0)))


def _odds(outputs: list[np.ndarray], scores: np.ndarray | None) -> np.ndarray | None:
    """Return the first output of floats where it holds probabilities that are no classes beside each other, or None."""
    first = next((out for out in outputs if out.dtype.kind == "f" and out.ndim and out.size), None)
    if first is None or scores is None or not ((first >= 0) & (first <= 1)).all():
        return None
    mask = first.ndim == 4 and first.shape[1] == 1
    return first if mask or (first.size == len(first) and scores.ndim >= 3) else None


def label(outputs: list[np.ndarray]) -> int | None:
    """Return which output is the predicted class, or None when none is."""
    kinds = [out.dtype.kind in "iubU" and out.ndim in (1, 2) and out.size > 0 for out in outputs]
    return kinds.index(True) if True in kinds else None
