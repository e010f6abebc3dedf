"""Pruning in the course of a training, so that what stays learns to make up for what goes (Zhu 2017, arXiv 1710.01878)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.errors import Trouble
from core.domain.technique import KEEP, Claim, Family, Lesson, Technique, without_weights
from core.integers import already, finish


@dataclass(frozen=True)
class PruneTrainedOptions:
    """How many weights go, and how the others learn."""

    share: float = field(
        default=0.9, metadata={"help": "Share of the weights that become zero.", "low": 0.05, "high": 0.995}
    )
    minutes: float = field(
        default=4.0,
        metadata={"help": "Minutes that it trains at most; a job has ten in all.", "low": 0.05, "high": 8.0},
    )
    epochs: int = field(
        default=60, metadata={"help": "Times that each sample is seen at most.", "low": 1, "high": 10_000}
    )
    learning_rate: float = field(
        default=0.002, metadata={"help": "Largest step of a weight, by Adam.", "low": 1e-6, "high": 0.1}
    )
    labels: str = field(
        default="use",
        metadata={
            "help": "Learn from the labels too where the data has some, or from the answers of the first model alone.",
            "choices": ("use", "ignore"),
        },
    )
    temperature: float = field(
        default=2.0,
        metadata={"help": "How much the less likely classes count; 1 for as they are.", "low": 0.5, "high": 20.0},
    )
    seed: int = field(default=1, metadata={"help": "Draws the order of the samples.", "low": 0, "high": 2**31 - 1})
    keep: str = field(default="", metadata=KEEP)


class PruneTrained(Technique):
    """Prunes all tables together while the model learns to answer as before."""

    title = "Prune while training"
    sentence = "Removes weights little by little while the others learn to answer as before: best with many samples."
    family, claim, calibrates = Family.PRUNING, Claim.SIZE, True
    rows, kind = 100_000, "torch"
    Options = PruneTrainedOptions

    def applies(self, summary: dict[str, Any]) -> Trouble | None:
        """Return why not: no weights, or integers, which cannot be trained."""
        if trouble := already(summary["operators"] or {}):
            return Trouble(trouble.kind, trouble.message, "Prune before the step that makes integers.")
        return without_weights(summary, "prune")

    def apply(self, source: Path, out: Path, options: PruneTrainedOptions, lesson: Lesson) -> None:
        """Prune, train and store. Raises Refused without samples, for operators that torch lacks, or where the file does not shrink."""
        from core.training import Plan, train

        finish(train(source, lesson, Plan(**vars(options))), source, out)


TECHNIQUE = PruneTrained()
