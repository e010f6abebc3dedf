"""Weight sharing by second order: each weight that is rounded to its tensor's codebook is made up for by those that follow.

Errors are spread as in GPTQ (Frantar 2022, arXiv 2210.17323), onto values found by k-means instead of an even grid;
the values are then fitted once more to the answers of the original model.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core import kmeans, linear_layers, onnx_files, onnx_weights, second_order, sensitivity
from core.domain.errors import Refused, Trouble
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique, without_weights
from core.integers import finish
from core.linear_layers import Layer, Moments
from core.onnx_storage import Storage
from core.onnx_weights import Weight
from core.sensitivity import Change

LEAST = 256
"""Weights below which a codebook is no smaller than the tensor."""


LEVELS = (2, 3, 4, 6, 8, 16, 32, 64)
"""Values that a tensor may keep where that is measured."""

EVEN, MEASURED = "even", "measured"


@dataclass(frozen=True)
class SecondOrderCodebookOptions:
    """How many values a tensor keeps."""

    bits: float = field(
        default=3.0, metadata={"help": "Bits a weight, on average over the model.", "low": 1.0, "high": 6.0}
    )
    spread: str = field(
        default=MEASURED,
        metadata={
            "help": "Give every tensor the same bits, or measure on the samples where they matter.",
            "choices": (MEASURED, EVEN),
        },
    )
    levels: str = field(
        default="",
        metadata={
            "help": "Values that each tensor keeps, as name=number with commas; empty to let bits and spread say."
        },
    )
    keep: str = field(default="", metadata=KEEP)


class CodebooksSecondOrder(Technique):
    """Shares the weights of Conv, Gemm and MatMul by what errors cost on the samples; tables are shared by k-means."""

    title = "Shared weights, corrected on samples"
    sentence = (
        "Stores weights as indices into a few values, and corrects each layer so that its answers on your samples stay."
    )
    family, claim, calibrates = Family.SHARING, Claim.SIZE, True
    rows = 1024
    keeps = Keeps("fashion_cnn", changed=0.06, decibels=18)
    Options = SecondOrderCodebookOptions

    def applies(self, summary: dict[str, Any]) -> Trouble | None:
        """Return why there is nothing to share: the file has no weight tensors."""
        return without_weights(summary, "share")

    def apply(self, source: Path, out: Path, options: SecondOrderCodebookOptions, lesson: Lesson) -> None:
        """Share, correct and store. Raises Refused without layers or samples, or where the file does not shrink."""
        model, original = onnx_files.load(source), onnx_files.load(source)
        storage = Storage(model)
        everything = linear_layers.layers(model, LEAST)
        if not everything and (trouble := onnx_weights.unreached(model, LEAST)):
            raise Refused(trouble.message, trouble.next_step)
        if not everything or not lesson.inputs:
            lacking = "samples" if everything else f"Conv, Gemm or MatMul layers with {LEAST} weights or more"
            raise Refused(f"Correcting shared weights needs {lacking}.", "Use codebooks without samples instead.")
        kept = onnx_weights.kept(options.keep, model)
        tables = [table for table in tables_beside(model, everything) if table.name not in kept]
        layers = [layer for layer in everything if layer.weight.name not in kept]
        spread = _given if options.levels else _measured if options.spread == MEASURED else _even
        levels = spread(model, layers, tables, storage, options, lesson.inputs)
        for table in tables:
            table.put(kmeans.shared(table.array, levels[table.name]))
        for layer in layers:
            moments = linear_layers.moments(original, model, layer, lesson.inputs)
            sensitivity.put(shared(layer, moments, levels[layer.weight.name]))
        for weight in onnx_weights.weights(model, LEAST):
            storage.put(weight, weight.array)
        storage.settle()
        finish(model, source, out)


def tables_beside(model: Any, layers: list[Layer]) -> list[Weight]:
    """Return the large tensors that are no layers."""
    named = {layer.weight.name for layer in layers}
    large = [weight for weight in onnx_weights.weights(model, LEAST) if len(weight.tensor.dims) > 1]
    return [weight for weight in large if weight.name not in named and weight.finite]


def _given(
    model: Any, layers: list[Layer], tables: list[Weight], storage: Storage, options: Any, samples: dict[str, Any]
) -> dict[str, int]:
    """Return the values of each tensor as the option says. Raises Refused where it says nothing of one, or no number."""
    pairs = [entry.rpartition("=") for entry in options.levels.split(",")]
    said = {name.strip(): int(number) for name, _, number in pairs if number.strip().isdecimal()}
    names = [*(layer.weight.name for layer in layers), *(table.name for table in tables)]
    if lacking := [name for name in names if said.get(name, 0) < 2]:
        raise Refused(
            f"The option levels gives no number, 2 or more, for {', '.join(lacking[:8])}.", "Name each tensor."
        )
    return said


def _even(
    model: Any, layers: list[Layer], tables: list[Weight], storage: Storage, options: Any, samples: dict[str, Any]
) -> dict[str, int]:
    return dict.fromkeys([*(layer.weight.name for layer in layers), *(t.name for t in tables)], round(2**options.bits))


def _measured(
    model: Any, layers: list[Layer], tables: list[Weight], storage: Storage, options: Any, samples: dict[str, Any]
) -> dict[str, int]:
    """Return the values that each tensor keeps so that the answers suffer least within the bits."""
    expected = sensitivity.answers(model, samples)

    def tried(level: int, arrays: list[tuple[Weight, Any]]) -> Change:
        size = sum(storage.size(weight, array) for weight, array in arrays)
        return Change(level, size, sensitivity.error(model, arrays, expected, samples))

    changes = {t.name: [tried(n, [(t, kmeans.shared(t.array, n))]) for n in LEVELS] for t in tables}
    for layer in layers:
        moments = linear_layers.moments(model, model, layer, samples)
        changes[layer.weight.name] = [tried(n, shared(layer, moments, n)) for n in LEVELS]
    every = [*tables, *(layer.weight for layer in layers)]
    found = sensitivity.chosen(changes, sum(_budget(one, storage, options.bits) for one in every))
    return {name: change.level for name, change in found.items()}


def _budget(weight: Weight, storage: Storage, bits: float) -> int:
    """Return the bytes that a tensor brings in: those of its weights, and where it is pruned, of the rest and of the places where they stand."""
    array = weight.array
    rest = int(np.count_nonzero(array))
    if rest >= (1 - kmeans.ZEROS) * array.size:
        return int(array.size * bits / 8)
    return int(rest * bits / 8) + storage.size(weight, (array != 0).astype(array.dtype))


def shared(layer: Layer, moments: Moments, levels: int) -> list[tuple[Weight, Any]]:
    """Return the new arrays of a layer of ``levels`` different values, and of its bias where it has one; zeros stay zero."""
    kept = layer.matrix != 0
    if not kept.any():
        return [(layer.weight, layer.weight.array)]
    pruned = np.mean(kept) < 1 - kmeans.ZEROS

    def solve(target: Any, inputs: Any, tail: int) -> Any:
        head = target.shape[1] - tail
        mask = np.concatenate([kept if pruned else np.ones_like(kept), np.ones((len(kept), tail), bool)], axis=1)
        start = second_order.settled(np.where(mask, target, 0.0), target, inputs) if pruned else target
        found = kmeans.centres(np.sort(start[:, :head][mask[:, :head]]), levels - int(pruned))
        rounded = second_order.reconstruct(
            start, inputs, lambda _, __, places: mask[:, places], lambda column: kmeans.nearest(column, found), tail
        )
        return second_order.recentred(rounded, target, inputs, tail)

    return layer.solved(moments, solve)


TECHNIQUE = CodebooksSecondOrder()
