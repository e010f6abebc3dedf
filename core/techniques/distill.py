"""A narrower student that learns the answers of the model it was cut from (Hinton 2015, arXiv 1503.02531).

The cut of ``prune_channels`` begins it: it keeps the units that matter most, fitted to the original answers, from which a
student learns faster than from chance.
"""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.domain.errors import Trouble
from core.domain.technique import Claim, Family, Lesson, Technique
from core.integers import finish
from core.techniques import prune_channels
from core.training_options import TrainingOptions, minutes

STUDENT = prune_channels.TECHNIQUE


@dataclass(frozen=True)
class ChannelShare:
    """How narrow the student is."""

    share: float = field(
        default=0.4,
        metadata={"help": "Share of the channels, neurons and heads that go.", "low": 0.05, "high": 0.9},
    )


@dataclass(frozen=True)
class DistillOptions(TrainingOptions, ChannelShare):
    """How narrow the student is, and how it learns."""

    minutes: float = minutes(4.0, most=6.0)


class Distill(Technique):
    """Cuts channels and trains what is left towards the answers of the model before."""

    title = "Distil into a narrower model"
    sentence = (
        "Cuts out channels, neurons and heads, and trains the narrower model to answer as before: faster and smaller."
    )
    family, claim, calibrates = Family.DISTILLATION, Claim.LATENCY, True
    rows, kind = 100_000, "torch"
    Options = DistillOptions

    def applies(self, summary: dict[str, Any]) -> Trouble | None:
        """Return why no channels can be cut."""
        return STUDENT.applies(summary)

    def apply(self, source: Path, out: Path, options: DistillOptions, lesson: Lesson) -> None:
        """Cut, train and write. Raises Refused in the words of either."""
        from core.training import Plan, train

        few = {name: array[: STUDENT.rows] for name, array in lesson.inputs.items()}
        with tempfile.TemporaryDirectory() as folder:
            narrow = Path(folder) / "narrow.onnx"
            cut = STUDENT.Options(share=options.share, keep=options.keep)
            STUDENT.apply(source, narrow, cut, replace(lesson, inputs=few))
            told = {name: value for name, value in vars(options).items() if name != "share"}
            finish(train(narrow, lesson, Plan(**told)), source, out)


TECHNIQUE = Distill()
