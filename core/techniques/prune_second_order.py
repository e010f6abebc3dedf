"""Unstructured pruning by second order: the weights that stay make up for those that go (SparseGPT: Frantar 2023, arXiv 2301.00774)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core import linear_layers, onnx_files, onnx_weights, patterns, second_order, sensitivity
from core.domain.errors import Refused, Trouble
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique, without_weights
from core.integers import finish
from core.linear_layers import Layer, Moments
from core.onnx_storage import Storage
from core.onnx_weights import Weight
from core.sensitivity import Change

LEAST = 256
"""Weights below which a tensor is no smaller without its zeros."""

SHARES = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
"""Shares that a tensor may lose where that is measured."""

LARGE, FEW = 3_000_000, (0.0, 0.5, 0.8, 0.9)
"""Weights from which fewer shares are tried."""

EVEN, MEASURED = "even", "measured"
Shares = Callable[[str], float]
"""From a tensor's name to the share of it that goes."""

Arrays = list[tuple[Weight, Any]]


@dataclass(frozen=True)
class SecondOrderOptions:
    """How many weights go."""

    share: float = field(
        default=0.7, metadata={"help": "Share of the weights that become zero.", "low": 0.05, "high": 0.99}
    )
    spread: str = field(
        default=MEASURED,
        metadata={
            "help": "Take the same share of every tensor, or measure on the samples where as many bytes matter least.",
            "choices": (MEASURED, EVEN),
        },
    )
    shares: str = field(
        default="",
        metadata={
            "help": "Shares of single tensors, as name=share with commas; others stay. Empty to let share and spread say."
        },
    )
    pattern: str = field(default=patterns.ANY, metadata=patterns.OPTION)
    keep: str = field(default="", metadata=KEEP)


class PruneSecondOrder(Technique):
    """Prunes Conv, Gemm and MatMul by what each weight costs on the samples; tables are pruned by magnitude."""

    title = "Prune by second order"
    sentence = "Sets the weights to zero that matter least on your samples, corrects the others, and stores only those."
    family, claim, calibrates = Family.PRUNING, Claim.SIZE, True
    rows = 1024
    keeps = Keeps("fashion_cnn", changed=0.06, decibels=8)
    Options = SecondOrderOptions

    def applies(self, summary: dict[str, Any]) -> Trouble | None:
        """Return why there is nothing to prune: the file has no weight tensors."""
        return without_weights(summary, "prune")

    def apply(self, source: Path, out: Path, options: SecondOrderOptions, lesson: Lesson) -> None:
        """Prune, correct and store. Raises Refused without layers or samples, or where the file does not shrink."""
        model = onnx_files.load(source)
        storage = Storage(model)
        layers = linear_layers.layers(model, LEAST)
        if not layers and (trouble := onnx_weights.unreached(model, LEAST)):
            raise Refused(trouble.message, trouble.next_step)
        if not layers or not lesson.inputs:
            lacking = "samples" if layers else f"Conv, Gemm or MatMul layers with {LEAST} weights or more"
            raise Refused(f"Second-order pruning needs {lacking}.", "Prune by magnitude instead.")
        original = onnx_files.load(source)
        kept = onnx_weights.kept(options.keep, model)
        named = {layer.weight.name for layer in layers} | kept
        large = [weight for weight in onnx_weights.weights(model, LEAST) if len(weight.tensor.dims) > 1]
        tables = [table for table in large if table.name not in named and table.finite]
        layers = [layer for layer in layers if layer.weight.name not in kept]
        plans = _plans(model, layers, tables, storage, options, lesson.inputs)
        sensitivity.put(_best(original, model, layers, tables, plans, options.pattern, lesson.inputs))
        for weight in onnx_weights.weights(model, LEAST):
            storage.put(weight, weight.array)
        storage.settle()
        finish(model, source, out)


def _plans(
    model: Any, layers: list[Layer], tables: list[Weight], storage: Storage, options: Any, samples: dict[str, Any]
) -> list[Shares]:
    """Return the shares to try: as said, alike, and as they were measured to cost least for as many bytes."""
    if options.shares:
        said = _said(options.shares)
        return [lambda name: said.get(name, 0.0)]
    even = [lambda name: float(options.share)]
    if options.spread == EVEN or options.pattern != patterns.ANY:
        return even
    found = _measured(model, layers, tables, storage, options.share, samples)
    return [lambda name: found[name], *even]


def _best(
    original: Any,
    model: Any,
    layers: list[Layer],
    tables: list[Weight],
    plans: list[Shares],
    pattern: str,
    samples: dict[str, Any],
) -> Arrays:
    """Return the arrays of the plan whose answers lie nearest to those of the original; the model comes back as it was."""
    expected = sensitivity.answers(original, samples)
    weights = [*tables, *(weight for one in layers for weight in (one.weight, one.bias) if weight)]
    before = [(weight, weight.array) for weight in weights]
    tried: list[tuple[float, Arrays]] = []
    for share in plans:
        _apply(original, model, layers, tables, share, pattern, samples)
        arrays = [(weight, weight.array) for weight in weights]
        tried.append((sensitivity.distance(expected, sensitivity.answers(model, samples)), arrays))
        sensitivity.put(before)
    return min(tried, key=lambda one: one[0])[1]


def _apply(
    original: Any,
    model: Any,
    layers: list[Layer],
    tables: list[Weight],
    share: Shares,
    pattern: str,
    samples: dict[str, Any],
) -> None:
    """Prune tables, then layer after layer on what those before it give now."""
    for table in [table for table in tables if share(table.name)]:
        table.put(_table(table, share(table.name), pattern))
    for layer in [layer for layer in layers if share(layer.weight.name)]:
        moments = linear_layers.moments(original, model, layer, samples)
        sensitivity.put(_layer(layer, moments, share(layer.weight.name), pattern))


def _said(shares: str) -> dict[str, float]:
    """Return the shares by name. Raises Refused where the text holds anything but shares below 1."""
    try:
        pairs = (entry.rpartition("=") for entry in shares.split(",") if entry)
        said = {name.strip(): float(share) for name, _, share in pairs}
        if not all(0 <= share < 1 for share in said.values()):
            raise ValueError(shares)
    except ValueError:
        raise Refused("The option shares holds no shares below 1.", "Write name=0.8, with commas between.") from None
    return said


def _measured(
    model: Any, layers: list[Layer], tables: list[Weight], storage: Storage, share: float, samples: dict[str, Any]
) -> dict[str, float]:
    """Return the share of each tensor with which the answers suffer least in as many bytes as the same share of all takes."""
    weights = sum(int(np.prod(one.tensor.dims)) for one in [*tables, *(layer.weight for layer in layers)])
    expected, tried = sensitivity.answers(model, samples), sorted({*(SHARES if weights < LARGE else FEW), share})

    def change(level: int, arrays: Arrays) -> Change:
        size = sum(storage.size(weight, array) for weight, array in arrays)
        return Change(level, size, sensitivity.error(model, arrays, expected, samples) if tried[level] else 0.0)

    changes = {
        table.name: [change(n, [(table, smallest_gone(table.array, one))]) for n, one in enumerate(tried)]
        for table in tables
    }
    for layer in layers:
        moments = linear_layers.moments(model, model, layer, samples)
        whole = [(weight, weight.array) for weight in (layer.weight, layer.bias) if weight]
        arrays = [pruned(layer, moments, one) if one else whole for one in tried]
        changes[layer.weight.name] = [change(n, some) for n, some in enumerate(arrays)]
    most = sum(options[tried.index(share)].bytes for options in changes.values())
    return {name: tried[found.level] for name, found in sensitivity.chosen(changes, most).items()}


def _table(table: Weight, share: float, pattern: str) -> Any:
    if pattern == patterns.ANY:
        return smallest_gone(table.array, share)
    return patterns.largest_left(table.array, patterns.input_axis(table), pattern)


def _layer(layer: Layer, moments: Moments, share: float, pattern: str) -> Arrays:
    return pruned(layer, moments, share) if pattern == patterns.ANY else patterned(layer, moments, pattern)


def smallest_gone(array: Any, share: float) -> Any:
    """Return the array with that share of its entries, the smallest, at zero."""
    cut = np.quantile(np.abs(array), share, method="lower")
    return np.where(np.abs(array) > cut, array, np.zeros((), array.dtype))


def pruned(layer: Layer, moments: Moments, share: float) -> Arrays:
    """Return the new arrays of the layer's weights and, where it has one, of its bias."""

    def choose(columns: Any, spread: Any, _: Any) -> Any:
        costs = (columns / spread) ** 2
        return costs > np.quantile(costs, share, method="lower") if share else np.ones(costs.shape, bool)

    def solve(matrix: Any, inputs: Any, tail: int) -> Any:
        found = second_order.reconstruct(matrix, inputs, choose, lambda column: column, tail)
        return second_order.settled(found, matrix, inputs)

    return layer.solved(moments, solve)


def patterned(layer: Layer, moments: Moments, pattern: str) -> Arrays:
    """Return the new arrays of the layer's weights, N of each M consecutive inputs, and, where it has one, of its bias."""
    few, of = patterns.parsed(pattern)
    inputs = layer.weight.tensor.dims[layer.input_axis]
    found, rest = patterns.groups(inputs, layer.matrix.shape[1] // inputs, of)

    def choose(columns: Any, spread: Any, places: Any) -> Any:
        costs = (columns / spread) ** 2
        ranks = np.argsort(np.argsort(-costs, axis=1, kind="stable"), axis=1)
        return np.ones(costs.shape, bool) if places[0] in rest else ranks < few

    def solve(matrix: Any, inputs: Any, tail: int) -> Any:
        places = np.argsort(-np.diag(inputs)[found].sum(1), kind="stable")
        order = np.concatenate([found[places].reshape(-1), rest, np.arange(len(inputs) - tail, len(inputs))])
        left = second_order.reconstruct(matrix, inputs, choose, lambda column: column, tail, order, of)
        return second_order.settled(left, matrix, inputs)

    return layer.solved(moments, solve)


TECHNIQUE = PruneSecondOrder()
