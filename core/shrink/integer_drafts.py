"""Ways to quantize one model that differ in its ranges, biases and scales, and the one that answers samples best."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from core.onnx import calibration, weights
from core.onnx.calibration import Spans
from core.onnx.saturation import Pairing
from core.onnx.typing import Matrix, ModelProto, Samples
from core.shrink import equalization
from core.shrink.integer_pairs import Site, join, quantized, sites
from core.shrink.scaled_integers import Scaled

FEW = 64
"""Samples that drafts are told apart by, and that means are taken of, at most."""


@dataclass(frozen=True)
class Draft:
    """A model that is ready to be quantized: its sites, ranges of activations, weights of few bits, and means of what sites read."""

    model: ModelProto
    found: list[Site]
    method: str
    percentile: float
    spans: Spans
    narrow: dict[str, Scaled]
    means: Mapping[str, Matrix] = field(default_factory=dict)

    def quantized(self, pairing: Pairing, per_channel: bool) -> ModelProto:
        """Return the model with integers in a pairing."""
        return quantized(self.model, self.found, self.spans, pairing, per_channel, self.narrow, self.means)


def drafts(
    model: ModelProto,
    found: list[Site],
    narrow: dict[str, Scaled],
    methods: tuple[str, ...],
    percentile: float,
    samples: Samples,
) -> list[Draft]:
    """Return a draft for each way to learn ranges."""
    names = list(dict.fromkeys(name for site in found for name in (site.node.input[0], site.after) if name))
    spans = calibration.ranges(model, names, samples, methods, percentile)
    for method in methods:
        join(spans[method], model)
    return [Draft(model, found, method, percentile, spans[method], narrow) for method in methods]


def repaired(plain: Draft, samples: Samples) -> list[Draft]:
    """Return the draft with biases that make up for rounding, with equalized layers, and with both."""
    level = _level(plain, samples)
    return [*_centred(plain, samples), *level, *(draft for one in level for draft in _centred(one, samples))]


def nearest(tried: list[Draft], pairing: Pairing, per_channel: bool, reference: Matrix, samples: Samples) -> Draft:
    """Return the draft that, simulated in floats, answers samples nearest to a reference."""
    if len(tried) == 1:
        return tried[0]

    def kept(one: Draft) -> float:
        content = one.quantized(pairing, per_channel).SerializeToString()
        return calibration.signal_to_noise(reference, calibration.joined(calibration.session(content, "none"), samples))

    return max(tried, key=kept)


def _centred(one: Draft, samples: Samples) -> list[Draft]:
    """Return the draft with the means, by channel, of what the sites with a bias read; nothing where none has one."""
    places = {s.node.input[0]: 1 if s.node.op_type == "Conv" else -1 for s in one.found if s.bias is not None}
    few = {name: array[:FEW] for name, array in samples.items()}
    return [replace(one, means=calibration.means(one.model, places, few))] if places else []


def _level(plain: Draft, samples: Samples) -> list[Draft]:
    """Return the draft with equalized layers, and ranges that follow; nothing where no two layers follow one another."""
    arrays = equalization.equalized(equalization.pairs(plain.model, plain.found))
    if not arrays:
        return []
    level = weights.copied(plain.model)
    for weight in [weight for weight in weights.weights(level) if weight.name in arrays]:
        weight.put(arrays[weight.name].astype(np.float32))
    names = {site.weight.name for site in plain.found}
    found = [site for site in sites(level) if site.weight.name in names]
    return drafts(level, found, plain.narrow, (plain.method,), plain.percentile, samples)
