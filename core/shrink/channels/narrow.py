"""A narrower model: channels, neurons and heads are chosen and cut out, and what reads them is fitted to the original answers."""

from pathlib import Path

import numpy as np

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.onnx import calibration, files, linear_layers, weights
from core.onnx.integers import already, refuse_quantized
from core.onnx.typing import ModelProto, Samples
from core.onnx.unfolding import unfold
from core.shrink import sensitivity
from core.shrink.channels import budget, repeats
from core.shrink.channels.budget import Work
from core.shrink.channels.cut import cut
from core.shrink.channels.groups import Channels, channels
from core.shrink.channels.silence import levels, silenced

OPERATORS = ("Conv", "Gemm", "MatMul")
EVEN, MEASURED = "even", "measured"
ROWS = 1024
"""Samples that the choice and the fit take at most."""
ALIKE = 1e-3
"""Of the largest answer: what cutting may change after the channels were silenced; more is a fault, not a loss."""


def barred(summary: Summary) -> Trouble | None:
    """Return why a file with this summary has nothing to cut: quantized already, or no layer that has channels."""
    operators = summary.operators or {}
    if set(OPERATORS) & set(operators):
        return already(operators)
    return Trouble(Refused.kind, "The model has no Conv, Gemm or MatMul to prune.", "Choose another technique.")


def narrower(source: Path, share: float, spread: str, keep: str, samples: Samples) -> ModelProto:
    """Return the model without a share of its units; which of them go is the same everywhere or measured.

    Raises Refused where nothing can be cut, with the operators in the way.
    """
    refuse_quantized(files.load(source))
    original = _plain(source)
    found = channels(original, samples, frozenset(weights.kept(keep, original)))
    if not found.groups and (trouble := weights.unreached(original, 1)):
        raise Refused(trouble.message, trouble.next_step)
    if not found.groups:
        raise _stuck(found)
    plans = _plans(original, found, share, spread, samples)
    tries = [silenced(original, found, plan, samples) for plan in plans]
    best = min(tries, key=lambda one: one.error)
    before = sensitivity.answers(best.model, samples)
    cut(best.model, found, best.units)
    _must_agree(before, sensitivity.answers(best.model, samples))
    return best.model


def _plans(model: ModelProto, found: Channels, share: float, spread: str, samples: Samples) -> list[list[int]]:
    """Return how many units of each group may stay: evenly, and where that is measured in another way for the same work."""
    even = budget.even(found.groups, share)
    if even == [len(group.units) for group in found.groups]:
        raise Refused(_too_few(even, share), "Choose a larger share.")
    if spread == EVEN:
        return [even]
    work = Work.of(linear_layers.layers(model, 1), found)
    other = budget.measured(work, levels(model, found, samples), work.left(even))
    return [even] if other == even else [even, other]


def _plain(source: Path) -> ModelProto:
    """Return the model with dense weights, without constant computations, and with masks of its own for each attention."""
    model = calibration.folded(source)
    unfold(model)
    repeats.part(model)
    return model


def _too_few(units: list[int], share: float) -> str:
    held = ", ".join(map(str, sorted(set(units), reverse=True)[:8]))
    return f"Channels are removed in steps that make processors faster, and {share:.0%} of the {held} in each group is less than half a step."


def _stuck(found: Channels) -> Refused:
    blocking = found.blocking()
    reason = (
        f"they reach operators that the technique cannot follow: {', '.join(blocking)}"
        if blocking
        else "the layers are too few, shared, or joined by sums, normalisations or outputs over all channels"
    )
    return Refused(
        f"No channel, neuron or head can be removed: {reason}.", "Prune single weights instead: prune_second_order."
    )


def _must_agree(silent: list[np.ndarray], cut_out: list[np.ndarray]) -> None:
    """Raise Refused where the cut model answers otherwise than the one in which the same channels are silent."""
    for one, other in zip(silent, cut_out, strict=True):
        if one.shape != other.shape or not np.allclose(one, other, rtol=ALIKE, atol=ALIKE * float(np.abs(one).max())):
            raise Refused(
                "The model without these channels answers differently from the model in which they are zero, so the result was discarded.",
                "Name the weights of unusual layers in the option keep, or prune single weights instead: prune_second_order.",
            )
