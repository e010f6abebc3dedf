"""Structured pruning in depth: whole residual blocks go, those that the answers miss least (Men 2024, arXiv 2403.03853)."""

from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique
from core.domain.transform import option
from core.onnx.integers import finish
from core.shrink import residuals


@dataclass(frozen=True)
class BlockOptions:
    """How many blocks go, and which stay."""

    blocks: int = option(1, "Number of residual blocks to remove.", low=1, high=1000)
    keep: str = option("", KEEP)


class DropBlocks(Technique):
    """Leaves out attentions, feed-forward parts and residual convolutions; nothing is trained."""

    title = "Drop blocks"
    sentence = (
        "Removes the residual blocks, such as attention layers, that matter least on your samples: fewer layers to run."
    )
    family, claim, calibrates = Family.PRUNING, Claim.LATENCY, True
    keeps = Keeps("spam_transformer", changed=0.03, decibels=10)
    Options = BlockOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why not: quantized already, or no sum that could end a block."""
        return residuals.barred(summary)

    def apply(self, source: Path, out: Path, options: BlockOptions, lesson: Lesson) -> None:
        """Choose and cut. Raises Refused without samples, without blocks, and where all of them would go."""
        if not lesson.inputs:
            raise Refused("Samples are needed to learn which blocks matter, and there are none.", "Add a data set.")
        model = residuals.shallower(source, options.blocks, options.keep, lesson.inputs, lesson.tell)
        finish(model, source, out)


TECHNIQUE = DropBlocks()
