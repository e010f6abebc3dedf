"""Tree ensembles made smaller than their answers allow, without labels: cheap splits go, leaves share a few values, and all are fitted again."""

from dataclasses import dataclass, replace
from pathlib import Path

from core.domain.errors import Trouble
from core.domain.format import Summary
from core.domain.technique import Claim, Family, Keeps, Lesson, Technique
from core.domain.transform import option
from core.onnx import files
from core.shrink.ensembles import reading, replacing, thinning, without_trees
from core.shrink.ensembles.forest import reachable
from core.techniques.clean_trees import CleanTreesOptions


@dataclass(frozen=True)
class PruneTreesOptions(CleanTreesOptions):
    """How many answers may change on the samples that the trees learn from."""

    flips: float = option(0.0, "Share of the samples whose prediction may change.", low=0.0, high=0.2)
    error: float = option(
        0.01,
        "For models that predict numbers: the error allowed, as a share of the spread of the predictions.",
        low=0.0001,
        high=0.5,
    )


class PruneTrees(Technique):
    """Looks for the smallest trees that answer the samples, and mixtures of them, as the original does."""

    title = "Prune trees"
    sentence = "Removes splits that change little on your samples, lets leaves share values, and fits these to the original's answers."
    family, claim, calibrates = Family.PRUNING, Claim.SIZE, True
    rows = 4096
    keeps = Keeps("segment", changed=0.03, decibels=15)
    Options = PruneTreesOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why there is nothing to prune: the file has no trees."""
        return without_trees(summary.operators or ())

    def apply(self, source: Path, out: Path, options: PruneTreesOptions, lesson: Lesson) -> None:
        """Search and write. Raises Refused without trees or samples, or where the file does not shrink."""
        model = files.load(source)
        found = []
        for node in reading.needed(model):
            ensemble = reading.read(node)
            found.append((node, replace(ensemble, forest=reachable(ensemble.forest, ensemble.dtype))))
        allowed = thinning.Allowed(options.flips, options.error)
        thinned = thinning.thinned(model, found, lesson.inputs, allowed, options.operator)
        replacing.write(model, thinned, source, out, options.operator)


TECHNIQUE = PruneTrees()
