"""Tree ensembles without loss: what no sample can reach goes, equal parts are stored once, and each number in few bytes."""

from dataclasses import dataclass, replace
from pathlib import Path

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.technique import Claim, Family, Keeps, Lesson, Technique
from core.domain.transform import Tolerance, option
from core.onnx import files
from core.onnx.typing import ModelProto, NodeProto
from core.shrink.ensembles import reading, replacing, without_trees, writing
from core.shrink.ensembles.forest import reachable
from core.shrink.ensembles.reading import Ensemble
from core.shrink.ensembles.replacing import KEPT, NEWEST


@dataclass(frozen=True)
class CleanTreesOptions:
    """Which version of the operator is written."""

    operator: str = option(
        NEWEST,
        "Write TreeEnsemble of ai.onnx.ml 5 where that is smaller (needs ONNX Runtime 1.20 or newer), or keep the version.",
        choices=(NEWEST, KEPT),
    )


class CleanTrees(Technique):
    """Writes every tree operator of the main graph anew; the answers stay, up to the order of a sum."""

    title = "Clean up trees"
    sentence = (
        "Removes branches that nothing reaches, stores equal leaves and subtrees once, and every number in fewer bytes."
    )
    family, claim = Family.CLEAN_UP, Claim.SIZE
    keeps = Keeps("segment", changed=0.0, decibels=100)
    tolerance = Tolerance(absolute=1e-5, relative=1e-5)
    Options = CleanTreesOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why there is nothing to do: the file has no trees."""
        return without_trees(summary.operators or ())

    def apply(self, source: Path, out: Path, options: CleanTreesOptions, lesson: Lesson) -> None:
        """Simplify and write. Raises Refused without trees, for questions about sets, or where the file does not shrink."""
        model = files.load(source)
        found = [(node, self.simple(model, node)) for node in reading.needed(model)]
        replacing.write(model, found, source, out, options.operator)

    @staticmethod
    def simple(model: ModelProto, node: NodeProto) -> Ensemble:
        """Return an operator without what nothing reaches. Raises Refused where it would not answer the same."""
        ensemble = reading.read(node)
        found = replace(ensemble, forest=reachable(ensemble.forest, ensemble.dtype))
        if not replacing.alike(model, [node], [writing.instead(node, found)], [], ensemble):
            raise Refused("The rewritten trees answer differently.", "Please report this file.")
        return found


TECHNIQUE = CleanTrees()
