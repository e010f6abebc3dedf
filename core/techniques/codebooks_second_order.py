"""Weight sharing by second order: each weight that is rounded to its tensor's codebook is made up for by those that follow.

Errors are spread as in GPTQ (Frantar 2022, arXiv 2210.17323), onto values found by k-means instead of an even grid;
the values are then fitted once more to the answers of the original model.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique, without_weights
from core.domain.transform import option
from core.onnx import files, kmeans, linear_layers, second_order, weights
from core.onnx.integers import finish
from core.onnx.linear_layers import LinearLayer, Moments
from core.onnx.storage import Storage
from core.onnx.typing import ModelProto, Samples
from core.onnx.weights import Arrays, Weight
from core.shrink import sensitivity
from core.shrink.sensitivity import Change

LEAST = 256
"""Weights below which a codebook is no smaller than the tensor."""

LEVELS = (2, 3, 4, 6, 8, 16, 32, 64)
"""Values that a tensor may keep where that is measured."""

EVEN, MEASURED = "even", "measured"


@dataclass(frozen=True)
class SecondOrderCodebookOptions:
    """How many values a tensor keeps."""

    bits: float = option(3.0, "Bits per weight, on average over the model.", low=1.0, high=6.0)
    spread: str = option(
        MEASURED,
        "Give every tensor the same number of bits, or measure on the samples where bits matter most.",
        choices=(MEASURED, EVEN),
    )
    levels: str = option(
        "", "Distinct values per tensor, as name=number separated by commas; empty to let bits and spread decide."
    )
    keep: str = option("", KEEP)


class CodebooksSecondOrder(Technique):
    """Shares the weights of Conv, Gemm and MatMul by what errors cost on the samples; tables are shared by k-means."""

    title = "Shared weights, corrected on samples"
    sentence = "Stores weights as indices into a few shared values, and corrects each layer so that its answers to your samples change least."
    family, claim, calibrates = Family.SHARING, Claim.SIZE, True
    rows = 1024
    keeps = Keeps("fashion_cnn", changed=0.06, decibels=18)
    Options = SecondOrderCodebookOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why there is nothing to share: the file has no weight tensors."""
        return without_weights(summary, "share")

    def apply(self, source: Path, out: Path, options: SecondOrderCodebookOptions, lesson: Lesson) -> None:
        """Share, correct and store. Raises Refused without layers or samples, or where the file does not shrink."""
        model, original = files.load(source), files.load(source)
        storage = Storage(model)
        everything = linear_layers.layers(model, LEAST)
        if not everything and (trouble := weights.unreached(model, LEAST)):
            raise Refused(trouble.message, trouble.next_step)
        if not everything or not lesson.inputs:
            lacking = "samples" if everything else f"Conv, Gemm or MatMul layers with {LEAST} weights or more"
            raise Refused(
                f"Correcting shared weights needs {lacking}.",
                "Use shared weights without correction (codebooks) instead.",
            )
        kept = weights.kept(options.keep, model)
        tables = [table for table in tables_beside(model, everything) if table.name not in kept]
        layers = [layer for layer in everything if layer.weight.name not in kept]
        names = [*(layer.weight.name for layer in layers), *(table.name for table in tables)]
        if options.levels:
            levels = _given(names, options.levels)
        elif options.spread == MEASURED:
            levels = _measured(model, layers, tables, storage, options.bits, lesson.inputs)
        else:
            levels = dict.fromkeys(names, round(2**options.bits))
        for table in tables:
            table.put(kmeans.shared(table.array, levels[table.name]))
        for layer in layers:
            moments = linear_layers.moments(original, model, layer, lesson.inputs)
            sensitivity.put(shared(layer, moments, levels[layer.weight.name]))
        for weight in weights.weights(model, LEAST):
            storage.put(weight, weight.array)
        storage.settle()
        finish(model, source, out)


def tables_beside(model: ModelProto, layers: list[LinearLayer]) -> list[Weight]:
    """Return the large tensors that are no layers."""
    named = {layer.weight.name for layer in layers}
    large = [weight for weight in weights.weights(model, LEAST) if len(weight.tensor.dims) > 1]
    return [weight for weight in large if weight.name not in named and weight.finite]


def _given(names: list[str], levels: str) -> dict[str, int]:
    """Return the values of each tensor as the option says. Raises Refused where it says nothing of one, or no number."""
    pairs = [entry.rpartition("=") for entry in levels.split(",")]
    said = {name.strip(): int(number) for name, _, number in pairs if number.strip().isdecimal()}
    if lacking := [name for name in names if said.get(name, 0) < 2]:
        raise Refused(
            f"The option levels needs a number of at least 2 for {', '.join(lacking[:8])}.",
            "Name each tensor with its number.",
        )
    return said


def _measured(
    model: ModelProto,
    layers: list[LinearLayer],
    tables: list[Weight],
    storage: Storage,
    bits: float,
    samples: Samples,
) -> dict[str, int]:
    """Return the values that each tensor keeps so that the answers suffer least within the bits."""
    expected = sensitivity.answers(model, samples)

    def tried(level: int, arrays: Arrays) -> Change:
        size = sum(storage.size(weight, array) for weight, array in arrays)
        return Change(level, size, sensitivity.error(model, arrays, expected, samples))

    changes = {t.name: [tried(n, [(t, kmeans.shared(t.array, n))]) for n in LEVELS] for t in tables}
    for layer in layers:
        moments = linear_layers.moments(model, model, layer, samples)
        changes[layer.weight.name] = [tried(n, shared(layer, moments, n)) for n in LEVELS]
    every = [*tables, *(layer.weight for layer in layers)]
    found = sensitivity.chosen(changes, sum(_budget(one, storage, bits) for one in every))
    return {name: change.level for name, change in found.items()}


def _budget(weight: Weight, storage: Storage, bits: float) -> int:
    """Return the bytes that a tensor brings in: those of its weights, and where it is pruned, of the rest and of the places where they stand."""
    array = weight.array
    rest = int(np.count_nonzero(array))
    if rest >= (1 - kmeans.ZEROS) * array.size:
        return int(array.size * bits / 8)
    return int(rest * bits / 8) + storage.size(weight, (array != 0).astype(array.dtype))


def shared(layer: LinearLayer, moments: Moments, levels: int) -> Arrays:
    """Return the new arrays of a layer of ``levels`` different values, and of its bias where it has one; zeros stay zero."""
    kept = layer.matrix != 0
    if not kept.any():
        return [(layer.weight, layer.weight.array)]
    pruned = np.mean(kept) < 1 - kmeans.ZEROS

    def solve(target: np.ndarray, inputs: np.ndarray, tail: int) -> np.ndarray:
        head = target.shape[1] - tail
        mask = np.concatenate([kept if pruned else np.ones_like(kept), np.ones((len(kept), tail), bool)], axis=1)
        start = second_order.settled(np.where(mask, target, 0.0), target, inputs) if pruned else target
        found = kmeans.centres(np.sort(start[:, :head][mask[:, :head]]), levels - int(pruned))
        rounded = second_order.reconstruct(
            start, inputs, lambda _, __, places: mask[:, places], lambda column: kmeans.nearest(column, found), tail
        )
        return np.asarray(second_order.recentred(rounded, target, inputs, tail))

    return layer.solved(moments, solve)


TECHNIQUE = CodebooksSecondOrder()
