"""CatBoost itself on one thread: the reference for its .cbm files."""

from pathlib import Path
from typing import Any

from core import forest_session
from core.domain.runtime import Runtime, Session
from core.forest_session import ForestSession
from core.formats.forests import Forest
from core.formats.forests import catboost as model
from core.groups import GROUPS

KINDS = {"sigmoid": "Probability", "softmax": "Probability", "each_sigmoid": "Probability", "exp": "Exponent"}
"""What CatBoost calls the answer behind each link."""


class CatboostRuntime(Runtime):
    """Takes numbers alone: categories and texts have no place in one table."""

    title = "CatBoost"
    sentence = "Runs boosted trees saved as .cbm, with CatBoost itself."
    formats = ("catboost",)
    packages = ("numpy", "catboost")
    kind = "sklearn"
    group = GROUPS["catboost"]

    def open(self, path: Path, format: str) -> Session:
        """Load the file after its trees were checked. Raises Refused with the reason."""
        forest = model.forest(path)
        booster = forest_session.engine(lambda: _booster(path), self.title)
        return ForestSession(forest, lambda table: _predicted(booster, forest, table))


def _booster(path: Path) -> Any:
    import catboost

    return catboost.CatBoost().load_model(str(path), format="cbm")


def _predicted(booster: Any, forest: Forest, table: Any) -> Any:
    return booster.predict(table, prediction_type=KINDS.get(forest.link, "RawFormulaVal"), thread_count=1)


RUNTIME = CatboostRuntime()
