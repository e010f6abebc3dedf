"""Structured pruning: whole channels, neurons and heads are cut out, and what reads them is fitted to the original answers.

Which ones go is decided by second order, and layer after layer is fitted by least squares on what the cut model before
it gives; nothing is trained. What goes together is found through the whole graph (``core.shrink.channels``).
"""

from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique
from core.domain.transform import option
from core.onnx.integers import finish
from core.shrink.channels import narrow
from core.shrink.channels.narrow import EVEN, MEASURED


@dataclass(frozen=True)
class ChannelOptions:
    """How much goes, and where."""

    share: float = option(0.3, "Share of the channels, neurons and attention heads to remove.", low=0.05, high=0.9)
    spread: str = option(
        MEASURED,
        "Remove the same share everywhere, or save as many multiply-adds where the answers suffer least.",
        choices=(MEASURED, EVEN),
    )
    keep: str = option("", KEEP)


class PruneChannels(Technique):
    """Cuts what Conv, Gemm and MatMul compute for one another, wherever the graph in between is understood."""

    title = "Prune channels"
    sentence = "Removes the channels, neurons and heads that matter least on your samples: an ordinary model, smaller and faster."
    family, claim, calibrates = Family.PRUNING, Claim.LATENCY, True
    rows = narrow.ROWS
    keeps = Keeps("fashion_cnn", changed=0.075, decibels=9)
    Options = ChannelOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why not: quantized already, or no layer that has channels."""
        return narrow.barred(summary)

    def apply(self, source: Path, out: Path, options: ChannelOptions, lesson: Lesson) -> None:
        """Choose, fit and cut. Raises Refused without samples, or where nothing can be cut, with the operators in the way."""
        if not lesson.inputs:
            raise Refused("Pruning channels learns from samples, and there are none.", "Add a data set.")
        model = narrow.narrower(source, options.share, options.spread, options.keep, lesson.inputs)
        finish(model, source, out)


TECHNIQUE = PruneChannels()
