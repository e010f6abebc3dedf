"""Says what each weight tensor bears: the answers with one tensor changed in one way at a time, on samples.

Changes are those that the techniques make, with their corrections; the bytes are those of the file that they write.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.domain.errors import Refused
from core.domain.tuning import Cell, HeatMap, Row
from core.onnx import files, kmeans, linear_layers
from core.onnx.linear_layers import LinearLayer, Moments
from core.onnx.storage import Storage
from core.onnx.weights import Weight
from core.proof import scoring
from core.shrink import scaled_integers, sensitivity
from core.techniques import codebooks_second_order, prune_second_order
from core.techniques.prune_second_order import Arrays

if TYPE_CHECKING:
    import onnx

LEAST = codebooks_second_order.LEAST
MOMENTS = 128
"""Samples that corrections learn from at most."""
LARGE, HUGE = 3_000_000, 30_000_000
"""Weights from which fewer changes are tried, so that the map takes minutes at most."""

INT8 = "int8"
VALUES = {f"values-{n}": n for n in codebooks_second_order.LEVELS[::-1]}
SHARES = {f"pruned-{share}": share / 100 for share in (50, 70, 80, 90, 95)}
ALL = (INT8, *VALUES, *SHARES)
SOME = (INT8, "values-16", "values-8", "values-4", "pruned-50", "pruned-80", "pruned-90")
FEW = (INT8, "values-16", "values-4")

Tell = Callable[[float | None, str], None]


def title(change: str) -> str:
    """Return the words for a change."""
    if change in VALUES:
        return f"{VALUES[change]} values, {np.log2(VALUES[change]):.3g} bits, corrected"
    return f"{SHARES[change]:.0%} pruned, corrected" if change in SHARES else "int8 per channel"


@dataclass
class Asked:
    """One model with the samples and its own answers to them."""

    model: "onnx.ModelProto"
    storage: Storage
    samples: dict[str, np.ndarray]
    expected: list[np.ndarray] = field(default_factory=list)

    def cell(self, change: str, arrays: Arrays, size: int) -> Cell:
        """Return what the answers suffer from some arrays in place of a tensor and its bias."""
        got = sensitivity.answers_with(self.model, arrays, self.samples)
        return Cell(change, size, sensitivity.distance(self.expected, got), scoring.changes(self.expected, got))


def measure(source: Path, samples: dict[str, np.ndarray], tell: Tell) -> HeatMap:
    """Return the map of a model. Raises Refused without weights or samples, or when the samples do not run."""
    model = files.load(source)
    asked = Asked(model, Storage(model), {name: array[:MOMENTS] for name, array in samples.items()})
    layers = linear_layers.layers(model, LEAST)
    tables = codebooks_second_order.tables_beside(model, layers)
    if not layers and not tables:
        raise Refused(f"No weight tensor of {LEAST} or more numbers was found.", "Keep this model as it is.")
    asked.expected = sensitivity.answers(model, asked.samples)
    every: list[LinearLayer | Weight] = [*layers, *tables]
    names = changes(sum(_size(_weight(one)) for one in every))
    rows = []
    for place, one in enumerate(every):
        tell(place / len(every), f"Sensitivity: {_weight(one).name[:60]} ({place + 1} of {len(every)})")
        cells = _of_layer(asked, one, names) if isinstance(one, LinearLayer) else _of_table(asked, one, names)
        rows.append(_row(_weight(one), tuple(cells)))
    asked_samples = min(sensitivity.SAMPLES, len(next(iter(asked.samples.values()))))
    return HeatMap({name: title(name) for name in names}, tuple(rows), asked_samples)


def changes(weights: int) -> tuple[str, ...]:
    """Return the changes that are tried on a model of so many weights."""
    return ALL if weights < LARGE else SOME if weights < HUGE else FEW


def _of_layer(asked: Asked, layer: LinearLayer, names: tuple[str, ...]) -> Iterator[Cell]:
    moments = linear_layers.moments(asked.model, asked.model, layer, asked.samples)
    for name in names:
        if name == INT8:
            yield _rounded(asked, layer.weight)
            continue
        arrays = _corrected(layer, moments, name)
        yield asked.cell(name, arrays, sum(asked.storage.size(weight, array) for weight, array in arrays))


def _corrected(layer: LinearLayer, moments: Moments, name: str) -> Arrays:
    if name in VALUES:
        return codebooks_second_order.shared(layer, moments, VALUES[name])
    return prune_second_order.pruned(layer, moments, SHARES[name])


def _of_table(asked: Asked, table: Weight, names: tuple[str, ...]) -> Iterator[Cell]:
    for name in names:
        if name == INT8:
            yield _rounded(asked, table)
            continue
        if name in VALUES:
            array = kmeans.shared(table.array, VALUES[name])
        else:
            array = prune_second_order.smallest_gone(table.array, SHARES[name])
        yield asked.cell(name, [(table, array)], asked.storage.size(table, array))


def _rounded(asked: Asked, weight: Weight) -> Cell:
    scaled = scaled_integers.nearest(weight.array, 8)
    array = scaled.array.astype(weight.array.dtype)
    return asked.cell(INT8, [(weight, array)], int(array.size + scaled.scales.nbytes))


def _row(weight: Weight, cells: tuple[Cell, ...]) -> Row:
    readers = dict.fromkeys(node.op_type for node, _ in weight.readers)
    array = weight.array
    return Row(weight.name, ", ".join(readers), tuple(array.shape), int(array.size), int(array.nbytes), cells)


def _weight(one: LinearLayer | Weight) -> Weight:
    return one.weight if isinstance(one, LinearLayer) else one


def _size(weight: Weight) -> int:
    return int(np.prod(weight.tensor.dims))
