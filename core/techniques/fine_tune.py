"""Training after another step, towards the answers that the model gave before it (Hinton 2015, arXiv 1503.02531).

Pruned weights stay zero and shared values stay shared, so that the file stays as small as the step before left it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import onnx_files
from core.domain.errors import Refused, Trouble
from core.domain.technique import KEEP, Claim, Family, Lesson, Technique, without_weights
from core.integers import already

GROWTH = 1.001
"""Size of the result to that of its source, above which compact weights were lost in the training."""


@dataclass(frozen=True)
class FineTuneOptions:
    """How long and how fast it learns, and from what."""

    minutes: float = field(
        default=2.0,
        metadata={"help": "Minutes that it trains at most; a job has ten in all.", "low": 0.05, "high": 8.0},
    )
    epochs: int = field(
        default=60, metadata={"help": "Times that each sample is seen at most.", "low": 1, "high": 10_000}
    )
    learning_rate: float = field(
        default=0.001, metadata={"help": "Largest step of a weight, by Adam.", "low": 1e-6, "high": 0.1}
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


class FineTune(Technique):
    """Trains what a step before it left, on samples that need no labels."""

    title = "Fine-tune"
    sentence = "Trains the smaller model to answer like the one you began with: zeros stay zero, shared values shared."
    family, claim, calibrates = Family.DISTILLATION, Claim.QUALITY, True
    rows, kind = 100_000, "torch"
    Options = FineTuneOptions

    def applies(self, summary: dict[str, Any]) -> Trouble | None:
        """Return why not: no weights, or integers, which cannot be trained."""
        if trouble := already(summary["operators"] or {}):
            return Trouble(trouble.kind, trouble.message, "Put fine-tuning before the step that makes integers.")
        return without_weights(summary, "train")

    def apply(self, source: Path, out: Path, options: FineTuneOptions, lesson: Lesson) -> None:
        """Train and write. Raises Refused without samples, for integers, for operators that torch lacks, and where nothing can be learned."""
        from core.training import Plan, train

        onnx_files.write(train(source, lesson, Plan(**vars(options))), out)
        before, after = source.stat().st_size, out.stat().st_size
        if after > before * GROWTH:
            raise Refused(
                f"Trained, the file would grow from {before:,} to {after:,} bytes: its compact weights are no shared values.",
                "Put fine-tuning before the step that made the file small.",
            )
        onnx_files.loads(out)


TECHNIQUE = FineTune()
