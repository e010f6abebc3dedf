"""Pruning in the course of a training, so that what stays learns to make up for what goes (Zhu 2017, arXiv 1710.01878)."""

from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Trouble
from core.domain.format import Summary
from core.domain.technique import Claim, Family, Keeps, Lesson, Technique, without_weights
from core.domain.transform import option
from core.onnx.integers import already, finish
from core.train.training_options import TrainingOptions, rate


@dataclass(frozen=True)
class WeightShare:
    """How many weights go."""

    share: float = option(0.9, "Share of the weights to set to zero.", low=0.05, high=0.995)


@dataclass(frozen=True)
class PruneTrainedOptions(TrainingOptions, WeightShare):
    """How many weights go, and how the others learn."""

    learning_rate: float = rate(0.002)


class PruneTrained(Technique):
    """Prunes all tables together while the model learns to answer as before."""

    title = "Prune while training"
    sentence = "Removes weights step by step while the others learn to answer as before: works best with many samples."
    family, claim, calibrates = Family.PRUNING, Claim.SIZE, True
    rows, kind = 100_000, "torch"
    keeps = Keeps("fashion_cnn", changed=0.2)
    Options = PruneTrainedOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why not: no weights, or integers, which cannot be trained."""
        if trouble := already(summary.operators or {}):
            return Trouble(trouble.kind, trouble.message, "Prune before the step that quantizes.")
        return without_weights(summary, "prune")

    def apply(self, source: Path, out: Path, options: PruneTrainedOptions, lesson: Lesson) -> None:
        """Prune, train and store. Raises Refused without samples, for operators that torch lacks, or where the file does not shrink."""
        from core.train.training import Plan, train

        finish(train(source, lesson, Plan(**vars(options))), source, out)


TECHNIQUE = PruneTrained()
