"""LightGBM: boosted trees as lines of text."""

from pathlib import Path

from core.domain.format import Format, Risk, Summary
from core.formats.anatomy import forest_view
from core.formats.forests import lightgbm as model


class Lightgbm(Format):
    """Lines of ``key=value``; each key is on a list, and each tree is walked before the library sees it."""

    title = "LightGBM"
    sentence = "Boosted trees saved by LightGBM as text: declarative, read and checked without LightGBM."
    suffixes = (".txt",)

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the first two lines are those of a model."""
        return head.startswith((b"tree\nversion=", b"tree\r\nversion="))

    def check(self, path: Path) -> tuple[Risk, ...]:
        """Check every line, list and tree."""
        return forest_view.risks(model.forest(path))

    def inspect(self, path: Path) -> Summary:
        """Read objective, trees and columns."""
        forest = model.forest(path)
        return forest_view.summary(self.id, forest, f"LightGBM model {forest.notes['version']}", "lightgbm")


FORMAT = Lightgbm()
