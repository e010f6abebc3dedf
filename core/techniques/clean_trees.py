"""Tree ensembles without loss: what no sample can reach goes, equal parts are stored once, and each number in few bytes."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core import onnx_files
from core.domain.errors import Refused, Trouble
from core.domain.technique import Claim, Family, Keeps, Lesson, Technique
from core.domain.transform import Tolerance
from core.ensembles import reading, replacing, without_trees, writing
from core.ensembles.forest import reachable
from core.ensembles.reading import Ensemble
from core.ensembles.replacing import KEPT, NEWEST


@dataclass(frozen=True)
class CleanTreesOptions:
    """Which version of the operator is written."""

    operator: str = field(
        default=NEWEST,
        metadata={
            "help": "Write TreeEnsemble of ai.onnx.ml 5 where that is smaller (ONNX Runtime 1.20 or newer), or keep the version.",
            "choices": (NEWEST, KEPT),
        },
    )


class CleanTrees(Technique):
    """Writes every tree operator of the main graph anew; the answers stay, up to the order of a sum."""

    title = "Clean up trees"
    sentence = (
        "Drops branches that nothing reaches, stores equal leaves and subtrees once, and every number in fewer bytes."
    )
    family, claim = Family.CLEAN_UP, Claim.SIZE
    keeps = Keeps("segment", changed=0.0, decibels=100)
    tolerance = Tolerance(absolute=1e-5, relative=1e-5)
    Options = CleanTreesOptions

    def applies(self, summary: dict[str, Any]) -> Trouble | None:
        """Return why there is nothing to do: the file has no trees."""
        return without_trees(summary)

    def apply(self, source: Path, out: Path, options: CleanTreesOptions, lesson: Lesson) -> None:
        """Simplify and write. Raises Refused without trees, for questions about sets, or where the file does not shrink."""
        model = onnx_files.load(source)
        found = [(node, self.simple(model, node)) for node in reading.needed(model)]
        replacing.write(model, found, source, out, options.operator)

    @staticmethod
    def simple(model: Any, node: Any) -> Ensemble:
        """Return an operator without what nothing reaches. Raises Refused where it would not answer the same."""
        ensemble = reading.read(node)
        found = replace(ensemble, forest=reachable(ensemble.forest, ensemble.dtype))
        if not replacing.alike(model, [node], [writing.instead(node, found)], [], ensemble):
            raise Refused("The trees answer otherwise when they are written anew.", "Report this file to us.")
        return found


TECHNIQUE = CleanTrees()
