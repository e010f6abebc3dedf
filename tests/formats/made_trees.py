"""Boosted trees on seeded numbers, written by the libraries that trained them; the suffix chooses the form."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

DICE = np.random.default_rng(0)
NUMBERS = DICE.normal(0, 2, (200, 3))
KINDS = DICE.integers(0, 9, (200, 1)).astype(float)
ROWS = np.hstack([np.where(DICE.random((200, 3)) < 0.1, np.nan, NUMBERS), KINDS])
CLASSES = (NUMBERS[:, 0] > 0).astype(int) + np.isin(KINDS[:, 0], (1, 4, 7))


def xgboost(path: Path, **settings: Any) -> None:
    """Three classes."""
    import xgboost as library

    kinds = settings.pop("kinds", ["q"] * 4)
    rows = library.DMatrix(ROWS, CLASSES, feature_types=kinds, enable_categorical=True, nthread=1)
    wanted = {"objective": "multi:softprob", "num_class": 3, "max_depth": 3, "nthread": 1, "verbosity": 0, **settings}
    library.train(wanted, rows, 4).save_model(path)


def lightgbm(path: Path, **settings: Any) -> None:
    """Three classes."""
    import lightgbm as library

    rows = library.Dataset(ROWS, CLASSES, categorical_feature=settings.pop("categories", []))
    wanted = {
        "objective": "multiclass",
        "num_class": 3,
        "num_leaves": 6,
        "min_data_in_leaf": 5,
        "min_data_per_group": 1,
        "cat_smooth": 1.0,
        "num_threads": 1,
        "verbosity": -1,
        **settings,
    }
    library.train(wanted, rows, 4).save_model(path)


def catboost(path: Path, **settings: Any) -> None:
    """Three classes with names."""
    import catboost as library

    model = library.CatBoostClassifier(
        iterations=4, depth=3, thread_count=1, verbose=False, allow_writing_files=False, **settings
    )
    model.fit(ROWS, np.array(["few", "some", "many"])[CLASSES]).save_model(str(path))


MODELS: dict[str, Callable[[Path], None]] = {
    "boosted.json": xgboost,
    "categories.ubj": lambda path: xgboost(path, kinds=["q", "q", "q", "c"], max_cat_to_onehot=1),
    "dart.ubj": lambda path: xgboost(path, booster="dart", rate_drop=0.5),
    "boosted.txt": lightgbm,
    "categories.txt": lambda path: lightgbm(path, categories=[3]),
    "zeros.txt": lambda path: lightgbm(path, zero_as_missing=True, objective="multiclassova"),
    "boosted.cbm": catboost,
    "lossguide.cbm": lambda path: catboost(path, grow_policy="Lossguide", nan_mode="Max"),
}
