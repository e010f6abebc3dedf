"""XGBoost itself on one thread: the reference for its .json and .ubj files."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.classic import forest_session
from core.classic.forest_session import ForestSession
from core.domain.runtime import Runtime, Session
from core.formats.forests import BoostedTrees
from core.formats.forests import xgboost as model

if TYPE_CHECKING:
    from xgboost import Booster


class XgboostRuntime(Runtime):
    """Predicts with the rounds that the scikit-learn wrapper would use when it stopped early, else with all."""

    title = "XGBoost"
    sentence = "Runs boosted trees saved as .json or .ubj, with XGBoost itself."
    formats = ("xgboost",)
    packages = ("numpy", "xgboost-cpu")
    kind = "sklearn"

    def open(self, path: Path, format: str) -> Session:
        """Load the file after its trees were checked. Raises Refused with the reason."""
        forest = model.forest(path)
        booster = forest_session.engine(lambda: _booster(path), self.title)
        if forest.link == "softmax":
            booster.set_param({"objective": "multi:softprob"})
        best = forest.notes["best_iteration"]
        rounds = 0 if best is None else best + 1
        return ForestSession(forest, lambda table: _predicted(booster, forest, table, rounds))


def _booster(path: Path) -> "Booster":
    """Load from bytes: from a path, XGBoost goes by the suffix."""
    import xgboost

    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(path.read_bytes()))
    return booster


def _predicted(booster: "Booster", forest: BoostedTrees, table: np.ndarray, rounds: int) -> np.ndarray:
    import xgboost

    kinds = ["c" if place in forest.categorical else "q" for place in range(forest.features)]
    matrix = xgboost.DMatrix(table, feature_types=kinds, enable_categorical=True, nthread=1)
    return np.asarray(booster.predict(matrix, iteration_range=(0, rounds), validate_features=False))


RUNTIME = XgboostRuntime()
