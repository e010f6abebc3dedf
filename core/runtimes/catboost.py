"""CatBoost itself on one thread: the reference for its .cbm files."""

from pathlib import Path
from typing import Any

from core.classic import forest_session
from core.classic.forest_session import ForestSession
from core.domain.groups import GROUPS
from core.domain.runtime import Runtime, Session
from core.formats.forests import catboost as model

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
        kind = KINDS.get(forest.link, "RawFormulaVal")
        return ForestSession(forest, lambda table: booster.predict(table, prediction_type=kind, thread_count=1))


def _booster(path: Path) -> Any:
    import catboost

    return catboost.CatBoost().load_model(str(path), format="cbm")


RUNTIME = CatboostRuntime()
