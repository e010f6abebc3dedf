"""LightGBM itself on one thread: the reference for its text files."""

from pathlib import Path
from typing import Any

from core.classic import forest_session
from core.classic.forest_session import ForestSession
from core.domain.runtime import Runtime, Session
from core.formats.forests import lightgbm as model


class LightgbmRuntime(Runtime):
    """Compares in float64, so that its table ``X`` is float64."""

    title = "LightGBM"
    sentence = "Runs boosted trees saved as text, with LightGBM itself."
    formats = ("lightgbm",)
    packages = ("numpy", "lightgbm")
    kind = "sklearn"

    def open(self, path: Path, format: str) -> Session:
        """Load the file after its trees were checked. Raises Refused with the reason."""
        forest = model.forest(path)
        booster = forest_session.engine(lambda: _booster(path), self.title)
        return ForestSession(forest, lambda table: booster.predict(table, num_threads=1))


def _booster(path: Path) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=path.read_text(encoding="utf-8"))


RUNTIME = LightgbmRuntime()
