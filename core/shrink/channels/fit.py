"""Fits a layer that lost inputs to the answers that it gave before, by least squares (He 2017, arXiv 1707.06168).

How strongly the weights are held to their old values is chosen for each layer: what fits one half of the samples must
also fit the other.
"""

from dataclasses import dataclass

import numpy as np

from core.onnx import linear_layers
from core.onnx.linear_layers import LinearLayer, Moments
from core.onnx.typing import Mask, Matrix, ModelProto, Samples
from core.onnx.weights import Arrays

HOLDS = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0)
"""Of the mean variance of the inputs; more holds the weights nearer to what they were."""


@dataclass(frozen=True)
class Halves:
    """What each half of the samples says about the inputs of a layer."""

    one: Moments
    other: Moments

    @property
    def both(self) -> Moments:
        """The mean of the halves."""
        return Moments(
            (self.one.inputs + self.other.inputs) / 2,
            (self.one.crossed + self.other.crossed) / 2,
        )


def halves(original: ModelProto, model: ModelProto, layer: LinearLayer, samples: Samples, batch: int) -> Halves:
    """Run both models on every other sample, then on the rest; where a half would not fill a batch, all are both halves."""
    few = len(next(iter(samples.values()))) < 2 * batch
    parts = [samples if few else {name: array[start::2] for name, array in samples.items()} for start in (0, 1)]
    one = linear_layers.moments(original, model, layer, parts[0])
    return Halves(one, one if few else linear_layers.moments(original, model, layer, parts[1]))


def refitted(layer: LinearLayer, seen: Halves, gone: Mask) -> Arrays:
    """Return new arrays for a layer that leaves some inputs out; ``gone`` is a boolean for each column of its matrix."""
    ways = [(seen.one, seen.other), (seen.other, seen.one)]
    errors = np.sum(
        [[_error(layer, m, test) for m in _fits(layer, train, gone, HOLDS)] for train, test in ways], axis=0
    )
    (found,) = _fits(layer, seen.both, gone, (HOLDS[int(np.argmin(errors))],))
    return layer.parted(found)


def _fits(layer: LinearLayer, moments: Moments, gone: Mask, holds: tuple[float, ...]) -> list[Matrix]:
    """Return the layer's matrix, bias included, for each strength of hold."""
    whole, biased, stays = layer.whole(), layer.bias is not None, np.flatnonzero(~gone)
    given = moments.crossed[: whole.shape[1]]
    # With a bias the fit is around the means, so that the bias itself is not held to its old value.
    mean, answer = moments.inputs[-1, stays] * biased, whole @ given[:, -1]
    inputs = moments.inputs[np.ix_(stays, stays)] - np.outer(mean, mean)
    missing = whole @ given[:, stays] - np.outer(answer, mean) - whole[:, stays] @ inputs
    # In the eigenvectors' axes a ridge only adds to the eigenvalues: one decomposition serves every strength of hold.
    spread, turns = np.linalg.eigh(inputs)
    turned, unit = missing @ turns, max(float(np.mean(np.diag(inputs))), 1e-12)
    found = []
    for hold in holds:
        matrix = np.zeros_like(whole)
        matrix[:, stays] = whole[:, stays] + (turned / (np.maximum(spread, 0) + hold * unit)) @ turns.T
        if biased:
            matrix[:, -1] = answer - matrix[:, stays] @ mean
        found.append(matrix)
    return found


def _error(layer: LinearLayer, matrix: Matrix, moments: Moments) -> float:
    """Return the mean squared error against the old answers, less a part that is the same for every matrix."""
    n = matrix.shape[1]
    expected = layer.whole() @ moments.crossed[:n, :n]
    return float(np.sum((matrix @ moments.inputs[:n, :n] - 2 * expected) * matrix))
