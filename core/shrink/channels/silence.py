"""Silences channels and fits the layers of a model to its original answers, one after the other, before anything is cut.

A silent channel is one that no layer reads. Each layer is fitted on what the fitted layers before it give.
"""

from dataclasses import dataclass

import numpy as np

from core.onnx import linear_layers, weights
from core.onnx.linear_layers import LinearLayer
from core.onnx.typing import Mask, ModelProto, Samples
from core.shrink import sensitivity
from core.shrink.channels import budget
from core.shrink.channels.budget import Level
from core.shrink.channels.choice import Reader, order
from core.shrink.channels.fit import Halves, halves, refitted
from core.shrink.channels.groups import Channels, Group


@dataclass(frozen=True)
class Silenced:
    """A fitted model of the old shapes, the units that it no longer reads, and the error of its answers on the samples."""

    model: ModelProto
    units: list[int]
    error: float


def silenced(original: ModelProto, found: Channels, left: list[int], samples: Samples) -> Silenced:
    """Return a copy with only so many units ``left`` in each group, chosen as the fit goes through the layers."""
    model = weights.copied(original)
    layers, gone = linear_layers.layers(model, 1), dict[int, list[int]]()
    read = {name for group in found.groups for name in group.readers}
    first = next(place for place, layer in enumerate(layers) if layer.weight.name in read)
    for layer in layers[first:]:
        seen = halves(original, model, layer, samples, found.trace.batch)
        for number, group in enumerate(found.groups):
            if group.readers[0] == layer.weight.name:
                readers = group_readers(group, layers)
                known = [seen, *(halves(original, model, r.layer, samples, found.trace.batch) for r in readers[1:])]
                gone[number] = order(readers, [half.both for half in known], len(group.units) - left[number])
        sensitivity.put(refitted(layer, seen, _silent(found, layer, gone)))
    expected, got = (sensitivity.answers(one, samples) for one in (original, model))
    units = [found.groups[number].units[place] for number, places in gone.items() for place in places]
    return Silenced(model, units, sensitivity.distance(expected, got))


def levels(model: ModelProto, found: Channels, samples: Samples) -> list[list[Level]]:
    """Return for each group what the answers lose with fewer and fewer of its units while the others are whole."""
    layers, expected = linear_layers.layers(model, 1), sensitivity.answers(model, samples)
    return [_tried(model, group, layers, expected, samples, found.trace.batch) for group in found.groups]


def group_readers(group: Group, layers: list[LinearLayer]) -> list[Reader]:
    """Return those of the layers that read a group, in the order in which they run."""
    named = {layer.weight.name: layer for layer in layers}
    return [Reader.of(named[name], group.places) for name in group.readers if name in named]


def _silent(found: Channels, layer: LinearLayer, gone: dict[int, list[int]]) -> Mask:
    mask = np.zeros(layer.matrix.shape[1], bool)
    for number, units in gone.items():
        for reader in group_readers(found.groups[number], [layer]):
            mask |= reader.gone(units)
    return mask


def _tried(
    model: ModelProto, group: Group, layers: list[LinearLayer], expected: list[np.ndarray], samples: Samples, batch: int
) -> list[Level]:
    units, options, readers = len(group.units), budget.tried(len(group.units)), group_readers(group, layers)
    seen: list[Halves] = [halves(model, model, reader.layer, samples, batch) for reader in readers]
    going = order(readers, [half.both for half in seen], units - options[-1])
    found = [Level(units, 0.0)]
    for kept in options[1:]:
        pairs = zip(readers, seen, strict=True)
        arrays = [pair for one, half in pairs for pair in refitted(one.layer, half, one.gone(going[: units - kept]))]
        error = sensitivity.error(model, arrays, expected, samples)
        found.append(Level(kept, max(error, found[-1].error)))
    return found
