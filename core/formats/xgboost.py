"""XGBoost: boosted trees as one JSON document, as text (.json) or packed (.ubj)."""

import re
from pathlib import Path

from core.domain.errors import Refused
from core.domain.format import Format, Risk, Summary
from core.formats.anatomy import forest_view
from core.formats.forests import xgboost as model

TEXT = re.compile(rb'\s*\{\s*"(learner"\s*:|version"\s*:.{0,200}"learner"\s*:)', re.DOTALL)
PACKED = re.compile(rb"\{(i|U|I.|l...|L.{7})\x07(learner|version)", re.DOTALL)


class Xgboost(Format):
    """The document names no code; its trees are walked before the library sees them."""

    title = "XGBoost"
    sentence = "Boosted trees saved by XGBoost as .json or .ubj: declarative, read and checked without XGBoost."
    suffixes = (".ubj", ".json")

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether a learner stands at the start of a JSON or UBJSON table."""
        return bool(TEXT.match(head) or PACKED.match(head))

    def check(self, path: Path) -> tuple[Risk, ...]:
        """Check every node, list and length of the document."""
        try:
            return forest_view.risks(model.forest(path))
        except (AttributeError, TypeError, ValueError, KeyError, OverflowError) as error:
            raise Refused(f"The document is not what XGBoost writes ({type(error).__name__}).", model.AGAIN) from None

    def inspect(self, path: Path) -> Summary:
        """Read objective, trees and columns."""
        document = model.document(path)
        forest = model.forest_of(document)
        return forest_view.summary(
            self.id,
            forest,
            f"XGBoost {model.version(document)}".strip(),
            "xgboost",
            booster=model.booster(document),
            missing="each split has learned where missing values go",
        )


FORMAT = Xgboost()
