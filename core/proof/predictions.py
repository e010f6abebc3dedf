"""What a model predicts of each sample, as far as its answers tell: a class, a yes or no, or nothing."""

import numpy as np

HALF = 0.5
"""Above it a probability says yes."""


def prediction(
    outputs: list[np.ndarray], like: list[np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Return the predicted class of each sample and the scores behind it, or None when the answers are no classes.

    A label output (whole numbers, text or truth) decides; else a first output of one probability a sample beside
    states of three dimensions or more, or one of a mask [n, 1, height, width], by more or less than a half; else the
    largest of the last dimension of the first output of numbers that has at least two there. Whether numbers are
    probabilities is seen on the outputs that these should be ``like``, so that two answers are read alike.
    """
    alike = like is not None and [out.shape for out in like] == [out.shape for out in outputs]
    shown = like if like is not None and alike else outputs
    first, place = _scores(shown), label(shown)
    scores = None if first is None else outputs[first]
    if place is None and scores is not None and (odds := _odds(shown, scores)) is not None:
        chance = outputs[odds]
        return (chance > HALF).astype(np.int64).reshape(-1, 1), np.stack([1 - chance, chance], -1).reshape(-1, 2)
    if place is not None:
        rows = outputs[place].reshape(len(outputs[place]), -1)
        return rows, scores if scores is not None and scores.ndim == 2 and len(scores) == len(rows) else None
    return None if scores is None else (scores.argmax(axis=-1).reshape(len(scores), -1), scores)


def _scores(outputs: list[np.ndarray]) -> int | None:
    """Return which output is the first of numbers that has at least two beside each other."""
    found = (out.dtype.kind == "f" and out.ndim >= 2 and out.shape[-1] >= 2 and out.size > 0 for out in outputs)
    return next((place for place, is_one in enumerate(found) if is_one), None)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Say of each prediction whether it is another [n] bool."""
    return (before != after).any(axis=1) if before.shape == after.shape else np.ones(len(before), bool)


def counted(before: np.ndarray, after: np.ndarray, samples: int) -> int:
    """Return how many predictions there are; of the places of a mask, of which most are background, those where either says yes."""
    if len(before) <= samples or before.shape != after.shape:
        return len(before)
    return int(np.count_nonzero((before != 0) | (after != 0)))


def _odds(outputs: list[np.ndarray], scores: np.ndarray) -> int | None:
    """Return which output is the first of floats where it holds probabilities that are no classes beside each other, or None."""
    kinds = [out.dtype.kind == "f" and out.ndim > 0 and out.size > 0 for out in outputs]
    first = outputs[kinds.index(True)]
    if not ((first >= 0) & (first <= 1)).all():
        return None
    mask = first.ndim == 4 and first.shape[1] == 1
    return kinds.index(True) if mask or (first.size == len(first) and scores.ndim >= 3) else None


def label(outputs: list[np.ndarray]) -> int | None:
    """Return which output is the predicted class, or None when none is."""
    kinds = [out.dtype.kind in "iubU" and out.ndim in (1, 2) and out.size > 0 for out in outputs]
    return kinds.index(True) if True in kinds else None
