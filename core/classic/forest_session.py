"""What a session on boosted trees tells the probes: the columns around their thresholds, and how answers are named."""

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from core.domain.errors import refusing
from core.domain.runtime import Domain, Session
from core.formats.anatomy import forest_view
from core.formats.forests import BoostedTrees

MAX_THRESHOLDS = 64
Engine = TypeVar("Engine")


class ForestSession(Session):
    """An engine's own predictions on one table ``X``; ``thresholds`` are where its trees split, by column."""

    expects_missing = True

    def __init__(self, forest: BoostedTrees, predict: Callable[[np.ndarray], np.ndarray]) -> None:
        self._forest, self._predict = forest, predict
        self.signature = forest_view.signature(forest)
        self.columns = forest.names if all(forest.names) else ()
        self.thresholds = {
            place: tuple(sorted(dict.fromkeys(filter(math.isfinite, values[: 8 * MAX_THRESHOLDS]))))[:MAX_THRESHOLDS]
            for place, values in forest.thresholds().items()
        }
        self.domains = {"X": _domain(forest, self.thresholds)}

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return label and probabilities, or variable."""
        answer = np.asarray(self._predict(inputs["X"]), np.float32)
        if not self._forest.classes:
            return {"variable": answer.reshape(len(inputs["X"]), self._forest.targets)}
        if answer.ndim == 1:
            answer = np.stack([1 - answer, answer], axis=1)
        labels = np.asarray(self._forest.labels or range(self._forest.classes))
        return {"label": labels[answer.argmax(axis=1)], "probabilities": answer}


def engine(load: Callable[[], Engine], title: str) -> Engine:
    """Load a model in its own engine. Raises Refused with the engine's first line."""
    with refusing(f"{title} cannot load this file", f"Save it again with {title}."):
        return load()


def _domain(forest: BoostedTrees, thresholds: dict[int, tuple[float, ...]]) -> Domain:
    """Return a mean and a spread per column: of its categories, its thresholds, or its values in training."""
    pairs = [_column(forest, thresholds, place) for place in range(forest.features)]
    return Domain(mean=tuple(mean for mean, _ in pairs), spread=tuple(spread for _, spread in pairs))


def _column(forest: BoostedTrees, thresholds: dict[int, tuple[float, ...]], place: int) -> tuple[float, float]:
    if values := thresholds.get(place):
        return float(np.mean(values)), float(np.std(values)) or 1.0
    low, high = forest.ranges.get(place, (0.0, 0.0))
    if place in forest.categorical:
        high = max(
            high,
            *(c for t in forest.trees for at, values in t.categories.items() if t.feature[at] == place for c in values),
        )
    return ((low + high) / 2, (high - low) / 2) if high > low else (0.0, 1.0)
