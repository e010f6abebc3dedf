"""Unstructured pruning by second order: the weights that stay make up for those that go (SparseGPT: Frantar 2023, arXiv 2301.00774)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique, without_weights
from core.domain.transform import option
from core.onnx import files, linear_layers, second_order, sparsity_patterns
from core.onnx import weights as onnx_weights
from core.onnx.integers import finish
from core.onnx.linear_layers import LinearLayer, Moments
from core.onnx.storage import Storage
from core.onnx.typing import ModelProto, Samples
from core.onnx.weights import Weight
from core.shrink import sensitivity
from core.shrink.sensitivity import Change

LEAST = 256
"""Weights below which a tensor is no smaller without its zeros."""

SHARES = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
"""Shares that a tensor may lose where that is measured."""

LARGE, FEW = 3_000_000, (0.0, 0.5, 0.8, 0.9)
"""Weights from which fewer shares are tried."""

EVEN, MEASURED = "even", "measured"
Shares = Callable[[str], float]
"""From a tensor's name to the share of it that goes."""

Arrays = list[tuple[Weight, np.ndarray]]


@dataclass(frozen=True)
class SecondOrderOptions:
    """How many weights go."""

    share: float = option(0.7, "Share of the weights to set to zero.", low=0.05, high=0.99)
    spread: str = option(
        MEASURED,
        "Take the same share of every tensor, or measure on the samples where the same number of bytes matters least.",
        choices=(MEASURED, EVEN),
    )
    shares: str = option(
        "",
        "Shares for single tensors, as name=share separated by commas; the others stay unchanged. Empty to let share and spread decide.",
    )
    pattern: str = field(default=sparsity_patterns.ANY, metadata=sparsity_patterns.OPTION)
    keep: str = option("", KEEP)


class PruneSecondOrder(Technique):
    """Prunes Conv, Gemm and MatMul by what each weight costs on the samples; tables are pruned by magnitude."""

    title = "Prune by second order"
    sentence = "Sets the weights to zero that matter least on your samples, corrects the others, and stores only those."
    family, claim, calibrates = Family.PRUNING, Claim.SIZE, True
    rows = 1024
    keeps = Keeps("fashion_cnn", changed=0.06, decibels=8)
    Options = SecondOrderOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why there is nothing to prune: the file has no weight tensors."""
        return without_weights(summary, "prune")

    def apply(self, source: Path, out: Path, options: SecondOrderOptions, lesson: Lesson) -> None:
        """Prune, correct and store. Raises Refused without layers or samples, or where the file does not shrink."""
        model = files.load(source)
        storage = Storage(model)
        layers = linear_layers.layers(model, LEAST)
        if not layers and (trouble := onnx_weights.unreached(model, LEAST)):
            raise Refused(trouble.message, trouble.next_step)
        if not layers or not lesson.inputs:
            lacking = "samples" if layers else f"Conv, Gemm or MatMul layers with {LEAST} weights or more"
            raise Refused(f"Second-order pruning needs {lacking}.", "Prune by magnitude instead.")
        original = files.load(source)
        kept = onnx_weights.kept(options.keep, model)
        named = {layer.weight.name for layer in layers} | kept
        large = [weight for weight in onnx_weights.weights(model, LEAST) if len(weight.tensor.dims) > 1]
        tables = [table for table in large if table.name not in named and table.finite]
        layers = [layer for layer in layers if layer.weight.name not in kept]
        subject = _Subject(original, model, layers, tables, lesson.inputs)
        sensitivity.put(_best(subject, _plans(subject, storage, options), options.pattern))
        for weight in onnx_weights.weights(model, LEAST):
            storage.put(weight, weight.array)
        storage.settle()
        finish(model, source, out)


@dataclass(frozen=True)
class _Subject:
    """What is pruned: layers and tables of a model, beside the model as it was, with the samples."""

    original: ModelProto
    model: ModelProto
    layers: list[LinearLayer]
    tables: list[Weight]
    samples: Samples


def _plans(subject: _Subject, storage: Storage, options: SecondOrderOptions) -> list[Shares]:
    """Return the shares to try: as said, alike, and as they were measured to cost least for as many bytes."""
    if options.shares:
        said = _said(options.shares)
        return [lambda name: said.get(name, 0.0)]
    even = [lambda name: float(options.share)]
    if options.spread == EVEN or options.pattern != sparsity_patterns.ANY:
        return even
    found = _measured(subject, storage, options.share)
    return [lambda name: found[name], *even]


def _best(subject: _Subject, plans: list[Shares], pattern: str) -> Arrays:
    """Return the arrays of the plan whose answers lie nearest to those of the original; the model comes back as it was."""
    expected = sensitivity.answers(subject.original, subject.samples)
    weights = [*subject.tables, *(weight for one in subject.layers for weight in (one.weight, one.bias) if weight)]
    before = [(weight, weight.array) for weight in weights]
    tried: list[tuple[float, Arrays]] = []
    for share in plans:
        _apply(subject, share, pattern)
        arrays = [(weight, weight.array) for weight in weights]
        got = sensitivity.answers(subject.model, subject.samples)
        tried.append((sensitivity.distance(expected, got), arrays))
        sensitivity.put(before)
    return min(tried, key=lambda one: one[0])[1]


def _apply(subject: _Subject, share: Shares, pattern: str) -> None:
    """Prune tables, then layer after layer on what those before it give now."""
    for table in [table for table in subject.tables if share(table.name)]:
        table.put(_table(table, share(table.name), pattern))
    for layer in [layer for layer in subject.layers if share(layer.weight.name)]:
        moments = linear_layers.moments(subject.original, subject.model, layer, subject.samples)
        sensitivity.put(_layer(layer, moments, share(layer.weight.name), pattern))


def _said(shares: str) -> dict[str, float]:
    """Return the shares by name. Raises Refused where the text holds anything but shares below 1."""
    try:
        pairs = (entry.rpartition("=") for entry in shares.split(",") if entry)
        said = {name.strip(): float(share) for name, _, share in pairs}
        if not all(0 <= share < 1 for share in said.values()):
            raise ValueError(shares)
    except ValueError:
        raise Refused("The option shares needs numbers below 1.", "Write name=0.8, separated by commas.") from None
    return said


def _measured(subject: _Subject, storage: Storage, share: float) -> dict[str, float]:
    """Return the share of each tensor with which the answers suffer least in as many bytes as the same share of all takes."""
    model, layers, tables, samples = subject.model, subject.layers, subject.tables, subject.samples
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


def _table(table: Weight, share: float, pattern: str) -> np.ndarray:
    if pattern == sparsity_patterns.ANY:
        return smallest_gone(table.array, share)
    return np.asarray(sparsity_patterns.largest_left(table.array, sparsity_patterns.input_axis(table), pattern))


def _layer(layer: LinearLayer, moments: Moments, share: float, pattern: str) -> Arrays:
    return pruned(layer, moments, share) if pattern == sparsity_patterns.ANY else patterned(layer, moments, pattern)


def smallest_gone(array: np.ndarray, share: float) -> np.ndarray:
    """Return the array with that share of its entries, the smallest, at zero."""
    cut = np.quantile(np.abs(array), share, method="lower")
    return np.where(np.abs(array) > cut, array, np.zeros((), array.dtype))


def pruned(layer: LinearLayer, moments: Moments, share: float) -> Arrays:
    """Return the new arrays of the layer's weights and, where it has one, of its bias."""

    def choose(columns: np.ndarray, spread: np.ndarray, _: np.ndarray) -> np.ndarray:
        costs = (columns / spread) ** 2
        return costs > np.quantile(costs, share, method="lower") if share else np.ones(costs.shape, bool)

    def solve(matrix: np.ndarray, inputs: np.ndarray, tail: int) -> np.ndarray:
        found = second_order.reconstruct(matrix, inputs, choose, lambda column: column, tail)
        return np.asarray(second_order.settled(found, matrix, inputs))

    return layer.solved(moments, solve)


def patterned(layer: LinearLayer, moments: Moments, pattern: str) -> Arrays:
    """Return the new arrays of the layer's weights, N of each M consecutive inputs, and, where it has one, of its bias."""
    few, of = sparsity_patterns.parsed(pattern)
    inputs = layer.weight.tensor.dims[layer.input_axis]
    found, rest = sparsity_patterns.groups(inputs, layer.matrix.shape[1] // inputs, of)

    def choose(columns: np.ndarray, spread: np.ndarray, places: np.ndarray) -> np.ndarray:
        costs = (columns / spread) ** 2
        ranks = np.argsort(np.argsort(-costs, axis=1, kind="stable"), axis=1)
        return np.ones(costs.shape, bool) if places[0] in rest else ranks < few

    def solve(matrix: np.ndarray, inputs: np.ndarray, tail: int) -> np.ndarray:
        places = np.argsort(-np.diag(inputs)[found].sum(1), kind="stable")
        order = np.concatenate([found[places].reshape(-1), rest, np.arange(len(inputs) - tail, len(inputs))])
        left = second_order.reconstruct(matrix, inputs, choose, lambda column: column, tail, order, of)
        return np.asarray(second_order.settled(left, matrix, inputs))

    return layer.solved(moments, solve)


TECHNIQUE = PruneSecondOrder()
