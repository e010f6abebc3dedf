"""CatBoost: boosted trees as a flatbuffer behind ``CBM1``."""

from collections.abc import Iterator
from pathlib import Path

from core.domain.artifact import Signature, TensorSpec
from core.domain.format import Format, Risk, Summary
from core.formats.anatomy import forest_view
from core.formats.anatomy.findings import warning
from core.formats.forests import catboost as model
from core.formats.forests.catboost import CatBoostModel


class Catboost(Format):
    """Tables of numbers; each is walked before the library sees it."""

    title = "CatBoost"
    sentence = "Boosted trees saved by CatBoost as .cbm: declarative, read and checked without CatBoost."
    suffixes = (".cbm",)

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the mark of a model stands at the start."""
        return head.startswith(model.MAGIC)

    def check(self, path: Path) -> Iterator[Risk]:
        """Check every table, tree and leaf."""
        found = model.read(path)
        if found.others:
            count = len(found.others)
            yield warning(
                f"The model takes {count} columns of categories, text or embeddings: it can only be inspected."
            )
        else:
            yield from forest_view.risks(model.forest_of(found))

    def inspect(self, path: Path) -> Summary:
        """Read loss, trees and columns; of splits by category, that they are there."""
        found = model.read(path)
        producer = next(
            (line for line in found.notes.get("catboost_version_info", "").splitlines() if "release" in line), ""
        )
        told = " ".join(["CatBoost", *[word.strip(".") for word in producer.split() if word[:1].isdecimal()][:1]])[:60]
        if found.others:
            return _mixed(found, told)
        missing = "below every border" if not any(column.missing_above for column in found.columns) else "by column"
        return forest_view.summary(self.id, model.forest_of(found), told, "catboost", missing=missing)


def _mixed(found: CatBoostModel, producer: str) -> Summary:
    """Return what is known of a model whose columns are not all numbers."""
    return Summary(
        format="catboost",
        signature=Signature((TensorSpec("X", "float32", ("batch", found.features)),)),
        operators={"Tree": found.trees.count(2)},
        precision="float32",
        producer=producer,
        dependencies=("catboost",),
        notes={
            "objective": found.loss,
            "classes": len(found.labels) or None,
            "trees": found.trees.count(2),
            "numeric_columns": len(found.columns),
            "other_columns": [*found.others[:100]],
        },
    )


FORMAT = Catboost()
