"""What the steps of a fitted scikit-learn estimator learned of each raw column: categories, means and spreads, thresholds."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.libraries.sklearn import Estimator

if TYPE_CHECKING:
    import lightgbm
    from xgboost import Booster

KEPT = ("_fit_X", "X_train_", "X_fit_", "support_vectors_", "cluster_centers_", "centroids_", "theta_", "means_")
"""Where neighbours, Gaussian processes, kernels, support vectors, clusters, centroids, naive Bayes and discriminants keep samples or means of them."""
MAX_CATEGORIES = 200
MAX_THRESHOLDS = 64


def width(model: Estimator) -> int | None:
    """Return the number of input columns, or None when the estimator does not know; sentences are one column."""
    if sentences(model):
        return 1
    try:
        found = getattr(model, "n_features_in_", None)
    except (AttributeError, TypeError):
        return None
    return None if found is None else int(found)


def text_columns(model: Estimator) -> dict[int, tuple[str, ...]]:
    """Return the positions of the text columns with the categories that the encoders learned."""
    if told := sentences(model):
        return {0: told}
    found: dict[int, tuple[str, ...]] = {}
    for column, step in _columns(model):
        for place, values in _categories(step, len(column)).items():
            found[column[place]] = values
    return found


def sentences(model: Estimator) -> tuple[str, ...]:
    """Return sentences of the words that a text vectorizer at the front learned; nothing for other models."""
    first = model
    while hasattr(first, "steps"):
        first = first.steps[0][1]
    words = sorted(getattr(first, "vocabulary_", ()))[:MAX_CATEGORIES]
    lines = [words[start : start + 5] for start in range(0, len(words), 5)] + [words[start::7] for start in range(7)]
    return tuple(
        dict.fromkeys((" ".join(line) + end).capitalize() for line in lines if line for end in (".", ", and others!"))
    )


def statistics(model: Estimator, count: int) -> tuple[list[float], list[float]]:
    """Return a mean and a spread per input column: a scaler's, else that of the thresholds, else that of kept samples, else 0 and 1."""
    means, spreads = [0.0] * count, [1.0] * count
    for place, values in enumerate(_kept(model, count)):
        means[place], spreads[place] = float(np.mean(values)), float(np.std(values)) or 1.0
    for place, values in thresholds(model).items():
        means[place], spreads[place] = float(np.mean(values)), float(np.std(values)) or 1.0
    for column, step in _columns(model):
        learned = _scaler(step)
        if learned and len(learned[0]) == len(column):
            for place, m, s in zip(column, *learned, strict=True):
                means[place], spreads[place] = float(m), float(s) or 1.0
    return means, spreads


def _kept(model: Estimator, count: int) -> np.ndarray:
    """Return samples that the last step kept, by column [columns, samples], where it sees the raw columns; nothing elsewhere."""
    steps = [step for _, step in getattr(model, "steps", [("", model)])]
    raw = all(hasattr(step, "statistics_") and getattr(step, "indicator_", None) is None for step in steps[:-1])
    for points in (getattr(steps[-1], name, None) for name in KEPT) if raw else ():
        if isinstance(points, np.ndarray) and points.dtype.kind == "f" and points.shape[1:] == (count,):
            return points.T
    return np.zeros((0, 0))


def thresholds(model: Estimator) -> dict[int, tuple[float, ...]]:
    """Return thresholds of trees per input column where the trees see the raw columns; at most 64 a column."""
    found: dict[int, set[float]] = {}
    for feature, value in _splits(model):
        if math.isfinite(value) and len(found.setdefault(feature, set())) < MAX_THRESHOLDS:
            found[feature].add(value)
    return {place: tuple(sorted(values)) for place, values in found.items() if values}


def expects_missing(model: Estimator) -> bool:
    """Say whether the model was made for missing numbers: it fills them in, or its trees learned where to send them."""
    parts = [step for _, step in _columns(model)] + [getattr(model, "_final_estimator", model)]
    return any(
        hasattr(part, name) for part in parts for name in ("statistics_", "get_booster", "booster_", "_bin_mapper")
    )


def text_imputers(model: Estimator) -> list[Estimator]:
    """Return the imputers that fill missing text."""
    return [step for column, step in _columns(model) if hasattr(step, "statistics_") and _categories(step, len(column))]


def rounded_down(values: np.ndarray) -> np.ndarray:
    """Return the largest float32 number at or below each value: ``x <= value`` is the same for every float32 x."""
    near = values.astype(np.float32)
    return np.where(near.astype(np.float64) > values, np.nextafter(near, np.float32(-np.inf)), near)


def tables(model: Estimator) -> Iterator[Estimator]:
    """Yield the column transformers that see the raw columns."""
    first = model.steps[0][1] if hasattr(model, "steps") else model
    if hasattr(first, "transformers_"):
        yield first
    elif first is not model:
        yield from tables(first)


def _columns(model: Estimator) -> Iterator[tuple[list[int], Estimator]]:
    """Yield each first step with the positions of the raw columns that it sees."""
    count, found = width(model) or 0, list(tables(model))
    if not found:
        yield from ((list(range(count)), step) for step in _chain(model))
    for table in found:
        names = list(getattr(table, "feature_names_in_", []))
        for _, step, chosen in table.transformers_:
            places = _places(chosen, names, count)
            yield from ((places, inner) for inner in _chain(step))


def _places(chosen: slice | str | int | Sequence[str | int | bool], names: list[str], count: int) -> list[int]:
    if isinstance(chosen, slice):
        if isinstance(chosen.start, str) or isinstance(chosen.stop, str):
            return list(range(names.index(chosen.start), names.index(chosen.stop) + 1))
        return list(range(count))[chosen]
    values = [chosen] if isinstance(chosen, str | int) else list(chosen)
    if values and isinstance(values[0], bool | np.bool_):
        return [place for place, wanted in enumerate(values) if wanted]
    return [names.index(value) if isinstance(value, str) else int(value) % count for value in values]


def _chain(step: Estimator) -> Iterator[Estimator]:
    """Yield a step and, in a pipeline, the steps that follow while each sees the columns one to one."""
    inner = [part for _, part in step.steps] if hasattr(step, "steps") else [step]
    for part in inner:
        yield part
        if not hasattr(part, "statistics_") and part != "passthrough":
            return


def _categories(step: Estimator, count: int) -> dict[int, tuple[str, ...]]:
    """Return categories by column for an encoder that learned text, or an imputer that fills with text."""
    learned = getattr(step, "categories_", None)
    if learned is not None:
        pairs = [(i, [v for v in values if isinstance(v, str)]) for i, values in enumerate(learned)]
        return {i: tuple(values[:MAX_CATEGORIES]) for i, values in pairs if values}
    filled = getattr(step, "statistics_", None)
    if filled is None or not any(isinstance(value, str) for value in filled):
        return {}
    return {i: (value,) for i, value in enumerate(filled) if isinstance(value, str)}


def _scaler(step: Estimator) -> tuple[np.ndarray, np.ndarray] | None:
    if hasattr(step, "mean_") and hasattr(step, "scale_") and step.mean_ is not None:
        return step.mean_, step.scale_ if step.scale_ is not None else np.ones_like(step.mean_)
    if hasattr(step, "data_min_"):
        return (step.data_min_ + step.data_max_) / 2, (step.data_max_ - step.data_min_) / 3
    if hasattr(step, "center_") and step.center_ is not None and step.scale_ is not None:
        return step.center_, step.scale_
    return None


def _splits(model: Estimator) -> Iterator[tuple[int, float]]:
    """Yield (column, threshold) of a model that is made of trees itself."""
    if hasattr(model, "get_booster"):
        yield from _booster_splits(model.get_booster())
        return
    if hasattr(model, "booster_"):
        yield from _lightgbm_splits(model.booster_)
        return
    trees = _members(model.estimators_) if hasattr(model, "estimators_") else [model]
    for tree in trees:
        inner = getattr(tree, "tree_", None)
        if inner is not None:
            split = inner.feature >= 0
            yield from zip(inner.feature[split].tolist(), inner.threshold[split].tolist(), strict=True)


def _booster_splits(booster: "Booster") -> Iterator[tuple[int, float]]:
    """Yield column and threshold of each split; none of linear boosters and trees of several targets, which XGBoost does not list."""
    from xgboost.core import XGBoostError

    try:
        table = booster.trees_to_dataframe()
    except (ValueError, XGBoostError):
        return
    names = booster.feature_names
    for row in table.itertuples():
        if row.Feature != "Leaf" and isinstance(row.Split, float):
            yield names.index(row.Feature) if names else int(row.Feature.removeprefix("f")), row.Split


def _lightgbm_splits(booster: "lightgbm.Booster") -> Iterator[tuple[int, float]]:
    """Yield column and threshold of each split by a number; those by categories have none."""
    names, table = booster.feature_name(), booster.trees_to_dataframe()
    for row in table[table.decision_type == "<="].itertuples():
        yield names.index(row.split_feature), float(row.threshold)


def _members(estimators: np.ndarray | list[Estimator]) -> list[Estimator]:
    """Return the estimators of an ensemble in one row, whatever they iterate over themselves."""
    rows = estimators.ravel().tolist() if isinstance(estimators, np.ndarray) else estimators
    return [member for row in rows for member in (row if isinstance(row, list | np.ndarray) else [row])]
