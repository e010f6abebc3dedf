"""Names why a package answers otherwise than its source, where the answers themselves tell: from both answers to the same inputs."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

FEWEST = 3
"""Samples below which nothing is read out of answers."""
CLOSE = 2e-4
"""The share of the spread of the answers by which an explanation may miss them, and still explain them."""
TELLING = 10
"""How many times better than no explanation one must be."""
SINGLE = 2.0**-16
"""The share of the largest answer by which sums in float32 may miss those in float64: 256 roundings in a row."""


def of(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> str:
    """Return what explains the first differing output of several calls, as a sentence; empty where nothing known does.

    ``before`` and ``after`` hold one array [samples, ...] for each call, of equal shapes.
    """
    pairs = [(a, b) for a, b in zip(before, after, strict=True) if a.dtype.kind == b.dtype.kind == "f" and a.shape == b.shape and a.ndim]  # fmt: skip
    widths = {a.shape[1:] for a, _ in pairs}
    if len(widths) != 1:
        return ""
    old, new = (np.concatenate([pair[side].reshape(len(pair[side]), -1) for pair in pairs]).astype(np.float64) for side in (0, 1))  # fmt: skip
    fine = np.isfinite(old).all(axis=1) & np.isfinite(new).all(axis=1)
    old, new = old[fine], new[fine]
    if len(old) < FEWEST or np.array_equal(old, new):
        return ""
    wide = all(a.dtype == np.float64 for a, _ in pairs)
    if wide and np.abs(old - new).max() <= SINGLE * max(np.abs(old).max(), 1e-30):
        return "The answers differ by no more than float32 rounds away, where the model has float64: something computes in float32."
    return swapped(old, new) or scaled(*_logits(old, new))


def swapped(old: np.ndarray, new: np.ndarray) -> str:
    """Say which columns [n, classes] stand in the place of others, where that explains every difference."""
    bound, columns = CLOSE * float(old.std()), old.shape[1]
    if columns < 2 or columns > 2000 or not np.abs(old - new).max() > TELLING * bound:
        return ""
    moved = [place for place in range(columns) if np.abs(old[:, place] - new[:, place]).max() > bound]
    found: dict[int, int] = {}
    for place in moved:
        fits = [other for other in moved if other != place and np.abs(old[:, other] - new[:, place]).max() <= bound]
        if len(fits) != 1:
            return ""
        found[place] = fits[0]
    if sorted(found.values()) != sorted(found):
        return ""
    if len(found) == 2:
        return f"The classes {min(found)} and {max(found)} are swapped."
    return f"The classes are in another order: {', '.join(f'{place} is {other}' for place, other in sorted(found.items())[:8])}."


def scaled(old: np.ndarray, new: np.ndarray) -> str:
    """Say by what all columns [n, classes] are scaled, where one number and a shift of each column explain every difference."""
    centre, moved = old - old.mean(axis=0), new - new.mean(axis=0)
    spread = float((centre**2).sum())
    if spread <= 0:
        return ""
    factor = float((centre * moved).sum()) / spread
    left, plain = np.abs(moved - factor * centre).max(), np.abs(moved - centre).max()
    shift = new.mean(axis=0) - old.mean(axis=0)
    bound = CLOSE * float(old.std())
    if left <= bound and plain > TELLING * left and abs(factor - 1) > CLOSE:
        return f"The answers are those of the source times {factor:.4g}, give or take a shift of each class: the last layer (head) is scaled."
    far = np.flatnonzero(np.abs(shift) > bound)
    if plain <= bound and 0 < len(far) < len(shift):
        return f"The answers are those of the source but for a shift of {'class' if len(far) == 1 else 'the classes'} {', '.join(map(str, far[:8].tolist()))}."
    return ""


def _logits(old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities as the logarithms that they are a softmax of, up to a shift of each sample; others as they are."""
    both = np.concatenate([old, new])
    if old.shape[1] < 2 or both.min() <= 0 or np.abs(both.sum(axis=1) - 1).max() > 1e-4:
        return old, new
    logs = np.log(old), np.log(new)
    first, second = (one - one.mean(axis=1, keepdims=True) for one in logs)
    return first, second


def of_batches(ask: Callable[[Mapping[str, np.ndarray]], object], calls: Sequence[Mapping[str, np.ndarray]]) -> str:
    """Say that a model takes one number of samples only, where it refuses calls and answers the same samples so many at a time."""
    answered = [_answers(ask, call) for call in calls]
    refused = [call for call, good in zip(calls, answered, strict=True) if not good]
    taken = {_count(call) for call, good in zip(calls, answered, strict=True) if good}
    counts = {_count(call) for call in refused}
    if not refused or None in counts | taken:
        return ""
    first = refused[0]
    for batch in (1, 2, 3, 4, 8, 16, 32):
        part = {name: np.resize(array, (batch, *array.shape[1:])) for name, array in first.items()}
        if batch not in counts and _answers(ask, part) and all(count == batch for count in taken):
            return f"The batch axis is fixed: the model takes {batch} sample{'s' if batch > 1 else ''} a call and no other number, where the source takes any."
    return ""


def _count(call: Mapping[str, np.ndarray]) -> int | None:
    """Return how many samples a call holds; None where its inputs say different numbers."""
    counts = {len(array) if array.ndim else None for array in call.values()}
    return counts.pop() if len(counts) == 1 else None


def _answers(ask: Callable[[Mapping[str, np.ndarray]], object], call: Mapping[str, np.ndarray]) -> bool:
    try:
        ask(call)
    except Exception:
        return False
    return True
