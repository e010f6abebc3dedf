"""Training after another step, towards the answers that the model gave before it (Hinton 2015, arXiv 1503.02531).

Pruned weights stay zero and shared values stay shared, so that the file stays as small as the step before left it.
"""

from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.technique import Claim, Family, Keeps, Lesson, Technique, without_weights
from core.onnx import files
from core.onnx.integers import already
from core.train.training_options import TrainingOptions, minutes

GROWTH = 1.001
"""Size of the result to that of its source, above which compact weights were lost in the training."""


@dataclass(frozen=True)
class FineTuneOptions(TrainingOptions):
    """How it learns; behind another step it takes less time."""

    minutes: float = minutes(2.0)


class FineTune(Technique):
    """Trains what a step before it left, on samples that need no labels."""

    title = "Fine-tune"
    sentence = "Trains the smaller model to answer like the original: zeros stay zero, and shared values stay shared."
    family, claim, calibrates = Family.DISTILLATION, Claim.QUALITY, True
    rows, kind = 100_000, "torch"
    keeps = Keeps("fashion_cnn", changed=0.12, after="prune_magnitude")
    Options = FineTuneOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why not: no weights, or integers, which cannot be trained."""
        if trouble := already(summary.operators or {}):
            return Trouble(trouble.kind, trouble.message, "Put fine-tuning before the step that quantizes.")
        return without_weights(summary, "train")

    def apply(self, source: Path, out: Path, options: FineTuneOptions, lesson: Lesson) -> None:
        """Train and write. Raises Refused without samples, for integers, for operators that torch lacks, and where nothing can be learned."""
        from core.train.training import Plan, train

        files.write(train(source, lesson, Plan(**vars(options))), out)
        before, after = source.stat().st_size, out.stat().st_size
        if after > before * GROWTH:
            raise Refused(
                f"After training, the file would grow from {before:,} to {after:,} bytes: its compact weights are not shared values.",
                "Put fine-tuning before the step that made the file small.",
            )
        files.loads(out)


TECHNIQUE = FineTune()
