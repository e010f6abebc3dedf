"""Random boosted trees of XGBoost, LightGBM and CatBoost, with missing numbers, categories and uneven columns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.fuzz import draws
from benchmarks.fuzz.specimen import Answer, Inputs, Question, Specimen, Unmade

SAMPLES = 30_000
ROWS = 300
Array = np.ndarray


@dataclass(frozen=True)
class Table:
    """What a model learns from: numbers [rows, columns] float64 with gaps, answers [rows], and the categories of columns that have some."""

    x: Array
    y: Array
    classes: int
    categories: dict[int, int]


def table(rng: np.random.Generator) -> Table:
    """Draw a table whose columns are normal, whole, few-valued, skewed or far from zero."""
    width = int(rng.integers(1, 7))
    columns, categories = [], {}
    for place in range(width):
        kind = str(rng.choice(["normal", "whole", "few", "skewed", "far", "category"]))
        if kind == "category":
            categories[place] = int(rng.integers(2, 12))
        columns.append(_column(rng, kind, categories.get(place, 0)))
    x = np.stack(columns, axis=1)
    classes = int(rng.choice([0, 0, 2, 3, 5]))
    score = np.tanh(np.nan_to_num(x)).sum(axis=1) + np.sin(3 * x[:, 0]) + 0.2 * rng.standard_normal(ROWS)
    y = score if not classes else np.digitize(score, np.quantile(score, np.arange(1, classes) / classes)).astype(float)
    if rng.random() < 0.6:
        x = np.where(rng.random(x.shape) < 0.15, np.nan, x)
    return Table(x, y, classes, categories)


def _column(rng: np.random.Generator, kind: str, values: int) -> Array:
    if kind == "category":
        return rng.integers(0, values, ROWS).astype(float)
    found: dict[str, Callable[[], Array]] = {
        "normal": lambda: rng.standard_normal(ROWS),
        "whole": lambda: rng.integers(-20, 50, ROWS).astype(float),
        "few": lambda: rng.choice([0.0, 0.5, 1.0], ROWS),
        "skewed": lambda: np.exp(3 * rng.standard_normal(ROWS)),
        "far": lambda: 1e5 + 10 * rng.standard_normal(ROWS),
    }
    return found[kind]().astype(np.float32).astype(float)


def made(seed: int, folder: Path) -> Specimen:
    """Fit one model. Raises Unmade where its library refuses the settings."""
    rng = np.random.default_rng([seed, 2])
    library = str(rng.choice(list(LIBRARIES)))
    given = table(rng)
    try:
        path, answer, dtype, about = LIBRARIES[library](rng, given, folder)
    except Exception as error:
        raise Unmade(f"{library}: {str(error)[:200]}") from None

    def asked(dice: np.random.Generator) -> Iterator[Question]:
        return questions(dice, given, dtype)

    words = f"{about}, {given.x.shape[1]} columns, {given.classes} classes, categories {given.categories}"
    return Specimen(path, library, (answer,), asked, words)


def questions(rng: np.random.Generator, given: Table, dtype: str) -> Iterator[Question]:
    """Yield tables like the learned one, with gaps, and pushed to hard kinds; a category is known, unknown or missing."""
    low, high = np.nanmin(given.x, axis=0), np.nanmax(given.x, axis=0)
    for turn in range(SAMPLES // 300):
        kind = ("learned", "learned", "between", "gaps", *draws.FLOATS)[turn % (4 + len(draws.FLOATS))]
        if kind in ("learned", "gaps"):
            x = given.x[rng.integers(0, ROWS, (300, 1)), np.arange(given.x.shape[1])]
            x = np.where(rng.random(x.shape) < 0.3, rng.uniform(low, high, x.shape), x) if turn % 3 else x
        elif kind == "between":
            x = rng.uniform(low - 1, high + 1, (300, given.x.shape[1]))
        else:
            x = draws.FLOATS[kind](rng, (300, given.x.shape[1]))
        for place, count in given.categories.items():
            x[:, place] = rng.integers(0, count + (2 if kind == "between" else 0), 300)
        if kind == "gaps":
            x = np.where(rng.random(x.shape) < 0.3, np.nan, x)
        yield kind, {"X": x.astype(dtype)}


def _named(answer: Array, classes: int) -> list[Array]:
    """Return label and probabilities, or the variable, as the session of the file calls them."""
    answer = np.asarray(answer, np.float32)
    if not classes:
        return [answer.reshape(len(answer), -1)]
    scores = np.stack([1 - answer, answer], axis=1) if answer.ndim == 1 else answer
    return [scores.argmax(axis=1).astype(np.int64), scores]


def _xgboost(rng: np.random.Generator, given: Table, folder: Path) -> tuple[Path, Answer, str, str]:
    import xgboost

    objective = "multi:softprob" if given.classes > 2 else "binary:logistic" if given.classes else str(
        rng.choice(["reg:squarederror", "count:poisson", "reg:absoluteerror", "reg:logistic", "reg:pseudohubererror"])
    )  # fmt: skip
    y = np.abs(given.y) if "poisson" in objective else given.y
    y = (given.y > 0).astype(float) if "reg:logistic" in objective else y
    settings = {
        "objective": objective, "max_depth": int(rng.integers(1, 6)), "eta": 0.3, "nthread": 1, "seed": 0,
        "booster": str(rng.choice(["gbtree", "gbtree", "gbtree", "dart"])), "tree_method": str(rng.choice(["hist", "exact"])),
        **({"num_class": given.classes} if given.classes > 2 else {}),
    }  # fmt: skip
    if given.categories:
        settings["tree_method"], settings["max_cat_to_onehot"] = "hist", int(rng.choice([1, 4, 100]))
    if rng.random() < 0.3:
        settings["base_score"] = 0.3
    kinds = ["c" if place in given.categories else "q" for place in range(given.x.shape[1])]

    def matrix(x: Array, label: Array | None = None) -> xgboost.DMatrix:
        return xgboost.DMatrix(x, label, feature_types=kinds, enable_categorical=True, nthread=1)

    booster = xgboost.train(settings, matrix(given.x, y), int(rng.integers(1, 12)))
    path = folder / f"model.{rng.choice(['json', 'ubj'])}"
    booster.save_model(path)

    def answer(inputs: Inputs) -> list[Array]:
        return _named(booster.predict(matrix(inputs["X"])), given.classes)

    return path, answer, "float32", f"xgboost {settings['booster']} {objective}"


def _lightgbm(rng: np.random.Generator, given: Table, folder: Path) -> tuple[Path, Answer, str, str]:
    import lightgbm

    objective = "multiclass" if given.classes > 2 else "binary" if given.classes else str(
        rng.choice(["regression", "regression_l1", "poisson", "huber", "quantile", "gamma", "tweedie", "cross_entropy"])
    )  # fmt: skip
    y = np.abs(given.y) + 0.01 if objective in ("poisson", "gamma", "tweedie") else given.y
    y = (given.y > 0).astype(float) if objective == "cross_entropy" else y
    if objective == "multiclass" and rng.random() < 0.3:
        objective = "multiclassova"
    settings = {
        "objective": objective, "num_leaves": int(rng.integers(2, 16)), "verbose": -1, "num_threads": 1, "seed": 0,
        "min_data_in_leaf": int(rng.integers(1, 20)), "boosting": str(rng.choice(["gbdt", "gbdt", "dart", "rf"])),
        "use_missing": bool(rng.random() < 0.8), "zero_as_missing": bool(rng.random() < 0.25), "bagging_freq": 1,
        "bagging_fraction": 0.8, "max_cat_to_onehot": int(rng.choice([1, 4])), "min_data_per_group": 5, "cat_smooth": 1.0,
        **({"num_class": given.classes} if given.classes > 2 else {}),
    }  # fmt: skip
    data = lightgbm.Dataset(
        given.x, y, categorical_feature=list(given.categories), params={"verbose": -1}, free_raw_data=False
    )
    booster = lightgbm.train(settings, data, int(rng.integers(1, 12)))
    path = folder / "model.txt"
    booster.save_model(path)

    def answer(inputs: Inputs) -> list[Array]:
        return _named(np.asarray(booster.predict(inputs["X"])), given.classes)

    missing, zero = settings["use_missing"], settings["zero_as_missing"]
    return path, answer, "float64", f"lightgbm {settings['boosting']} {objective} missing {missing} zero {zero}"


def _catboost(rng: np.random.Generator, given: Table, folder: Path) -> tuple[Path, Answer, str, str]:
    import catboost

    loss = (
        "MultiClass"
        if given.classes > 2
        else "Logloss"
        if given.classes
        else str(rng.choice(["RMSE", "MAE", "Poisson", "Quantile"]))
    )
    if loss == "MultiClass" and rng.random() < 0.3:
        loss = "MultiClassOneVsAll"
    y = np.abs(given.y) if loss == "Poisson" else given.y
    gaps = bool(np.isnan(given.x).any())
    policy = str(rng.choice(["SymmetricTree", "SymmetricTree", "Depthwise", "Lossguide"]))
    model = catboost.CatBoost({
        "loss_function": loss, "iterations": int(rng.integers(1, 12)), "depth": int(rng.integers(1, 5)), "verbose": False,
        "allow_writing_files": False, "thread_count": 1, "random_seed": 0, "grow_policy": policy,
        "nan_mode": str(rng.choice(["Min", "Max"])) if gaps else "Forbidden", "border_count": int(rng.choice([5, 32, 254])),
    })  # fmt: skip
    model.fit(given.x.astype(np.float32), y if not given.classes else y.astype(int))
    path = folder / "model.cbm"
    model.save_model(str(path))
    kind = "Probability" if given.classes else "Exponent" if loss == "Poisson" else "RawFormulaVal"

    def answer(inputs: Inputs) -> list[Array]:
        return _named(np.asarray(model.predict(inputs["X"], prediction_type=kind, thread_count=1)), given.classes)

    return path, answer, "float32", f"catboost {policy} {loss} gaps {gaps}"


LIBRARIES: dict[str, Callable[[np.random.Generator, Table, Path], tuple[Path, Answer, str, str]]] = {
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
}
