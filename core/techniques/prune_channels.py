"""Structured pruning: whole channels, neurons and heads are cut out, and what reads them is fitted to the original answers.

Which ones go is decided by second order, and layer after layer is fitted by least squares on what the cut model before
it gives; nothing is trained. What goes together is found through the whole graph (``core.channels``).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core import calibration, linear_layers, onnx_files, onnx_weights, sensitivity
from core.channels import budget, repeats
from core.channels.budget import Work
from core.channels.cut import cut
from core.channels.groups import Channels, channels
from core.channels.silence import levels, silenced
from core.domain.errors import Refused, Trouble
from core.domain.technique import KEEP, Claim, Family, Lesson, Technique
from core.integers import already, finish, refuse_quantized
from core.onnx_unfolding import unfold

OPERATORS = ("Conv", "Gemm", "MatMul")
EVEN, MEASURED = "even", "measured"
ALIKE = 1e-3
"""Of the largest answer: what cutting may change after the channels were silenced; more is a fault, not a loss."""


@dataclass(frozen=True)
class ChannelOptions:
    """How much goes, and where."""

    share: float = field(
        default=0.3,
        metadata={"help": "Share of the channels, neurons and heads that go.", "low": 0.05, "high": 0.9},
    )
    spread: str = field(
        default=MEASURED,
        metadata={
            "help": "Take the same share everywhere, or save as many multiply-adds where the answers suffer least.",
            "choices": (MEASURED, EVEN),
        },
    )
    keep: str = field(default="", metadata=KEEP)


class PruneChannels(Technique):
    """Cuts what Conv, Gemm and MatMul compute for one another, wherever the graph in between is understood."""

    title = "Prune channels"
    sentence = "Cuts out the channels, neurons and heads that matter least on your samples: a smaller and faster ordinary model."
    family, claim, calibrates = Family.PRUNING, Claim.LATENCY, True
    rows = 1024
    Options = ChannelOptions

    def applies(self, summary: dict[str, Any]) -> Trouble | None:
        """Return why not: quantized already, or no layer that has channels."""
        operators = summary["operators"] or {}
        if set(OPERATORS) & set(operators):
            return already(operators)
        return Trouble(Refused.kind, "The model has no Conv, Gemm or MatMul to prune.", "Choose another technique.")

    def apply(self, source: Path, out: Path, options: ChannelOptions, lesson: Lesson) -> None:
        """Choose, fit and cut. Raises Refused without samples, or where nothing can be cut, with the operators in the way."""
        if not lesson.inputs:
            raise Refused("Pruning channels learns from samples, and there are none.", "Add a data set.")
        refuse_quantized(onnx_files.load(source))
        original = _plain(source)
        found = channels(original, lesson.inputs, frozenset(onnx_weights.kept(options.keep, original)))
        if not found.groups:
            raise _stuck(found)
        plans = _plans(original, found, options, lesson.inputs)
        tries = [silenced(original, found, plan, lesson.inputs) for plan in plans]
        best = min(tries, key=lambda one: one.error)
        before = sensitivity.answers(best.model, lesson.inputs)
        cut(best.model, found, best.units)
        _must_agree(before, sensitivity.answers(best.model, lesson.inputs))
        finish(best.model, source, out)


def _plans(model: Any, found: Channels, options: ChannelOptions, samples: dict[str, Any]) -> list[list[int]]:
    """Return how many units of each group may stay: evenly, and where that is measured in another way for the same work."""
    even = budget.even(found.groups, options.share)
    if even == [len(group.units) for group in found.groups]:
        raise Refused(_too_few(even, options.share), "Let a larger share go.")
    if options.spread == EVEN:
        return [even]
    work = Work.of(linear_layers.layers(model, 1), found)
    other = budget.measured(work, levels(model, found, samples), work.left(even))
    return [even] if other == even else [even, other]


def _plain(source: Path) -> Any:
    """Return the model with dense weights, without constant computations, and with masks of its own for each attention."""
    model = calibration.folded(source)
    unfold(model)
    repeats.part(model)
    return model


def _too_few(units: list[int], share: float) -> str:
    held = ", ".join(map(str, sorted(set(units), reverse=True)[:8]))
    return f"Channels go in steps that processors gain from, and {share:.0%} of the {held} in each group is less than half a step."


def _stuck(found: Channels) -> Refused:
    blocking = found.blocking()
    reason = (
        f"they reach operators that it cannot follow: {', '.join(blocking)}"
        if blocking
        else "the layers are too few, shared, or joined by sums that normalise or answer over all channels"
    )
    return Refused(
        f"No channel, neuron or head can be cut: {reason}.", "Prune single weights instead: prune_second_order."
    )


def _must_agree(silent: list[Any], cut_out: list[Any]) -> None:
    """Raise Refused where the cut model answers otherwise than the one in which the same channels are silent."""
    for one, other in zip(silent, cut_out, strict=True):
        if one.shape != other.shape or not np.allclose(one, other, rtol=ALIKE, atol=ALIKE * float(np.abs(one).max())):
            raise Refused(
                "Cutting the channels changed more than their own share of the answers, so the result is thrown away.",
                "Name the weights of unusual layers in keep, or prune single weights instead: prune_second_order.",
            )


TECHNIQUE = PruneChannels()
