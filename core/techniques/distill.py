"""A narrower or shallower student that learns the answers of the model it was cut from (Hinton 2015, arXiv 1503.02531).

The cut begins it: it keeps the channels that matter most, fitted to the original answers, and the blocks that are missed
most, from which a student learns faster than from chance.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.technique import Claim, Family, Keeps, Lesson, Technique
from core.domain.transform import option
from core.onnx.integers import finish, written
from core.shrink import residuals
from core.shrink.channels import narrow
from core.train.training_options import TrainingOptions, minutes


@dataclass(frozen=True)
class StudentSize:
    """How narrow and how shallow the student is."""

    share: float = option(
        0.4, "Share of the channels, neurons and attention heads to remove; 0 removes none.", low=0.0, high=0.9
    )
    blocks: int = option(
        0, "Number of residual blocks to remove, such as attention layers; 0 removes none.", low=0, high=1000
    )


@dataclass(frozen=True)
class DistillOptions(TrainingOptions, StudentSize):
    """How small the student is, and how it learns."""

    minutes: float = minutes(4.0, most=6.0)


class Distill(Technique):
    """Cuts blocks and channels, and trains what is left towards the answers of the model before."""

    title = "Distil into a smaller model"
    sentence = "Removes channels, neurons and heads, or whole blocks, and trains the rest to answer as before: faster and smaller."
    family, claim, calibrates = Family.DISTILLATION, Claim.LATENCY, True
    rows, kind = 100_000, "torch"
    keeps = Keeps("fashion_cnn", changed=0.15)
    Options = DistillOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why neither channels nor blocks can be cut."""
        return residuals.barred(summary) and narrow.barred(summary)

    def apply(self, source: Path, out: Path, options: DistillOptions, lesson: Lesson) -> None:
        """Cut, train and write. Raises Refused in the words of either, and where nothing is to be cut."""
        from core.train.training import Plan, require, train

        require(lesson.inputs)
        told = {name: value for name, value in vars(options).items() if name not in ("share", "blocks")}
        with tempfile.TemporaryDirectory() as folder:
            student = _cut(source, Path(folder), options, lesson)
            finish(train(student, lesson, Plan(**told)), source, out)


def _cut(source: Path, folder: Path, options: DistillOptions, lesson: Lesson) -> Path:
    """Write the student as it is before it learns."""
    if not options.share and not options.blocks:
        raise Refused(
            "Nothing is to be removed, so the student would be its teacher.",
            "Remove a share of the channels, or some blocks.",
        )
    few = {name: array[: narrow.ROWS] for name, array in lesson.inputs.items()}
    student = source
    if options.blocks:
        model = residuals.shallower(source, options.blocks, options.keep, few, lambda _, text: lesson.tell(0.0, text))
        student = written(model, folder / "shallow.onnx")
    if options.share:
        model = narrow.narrower(student, options.share, narrow.MEASURED, options.keep, few)
        student = written(model, folder / "narrow.onnx")
    return student


TECHNIQUE = Distill()
