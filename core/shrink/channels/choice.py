"""Which channels a model can best do without, by what the layers that read them lose when the others make up for it.

Channels go one after the other, each time the one whose loss is least after a least-squares correction of what stays:
optimal brain surgeon on whole columns (Hassibi 1993; for structures: Kurtic 2023, arXiv 2302.04089).
"""

from dataclasses import dataclass

import numpy as np

from core.onnx.linear_layers import LinearLayer, Moments
from core.onnx.typing import FloatArray, IntArray, Mask, Matrix
from core.shrink.channels.trace import Place

DAMPING = 0.05
"""Of the mean second moment; it keeps directions that the samples hardly show from hiding a loss."""

STEPS = 256
"""Steps in which the channels of a group go at most; in large groups several at once."""


@dataclass(frozen=True)
class Reader:
    """A layer that reads the channels of a group, with the columns of its matrix that belong to each, [units, k]."""

    layer: LinearLayer
    columns: IntArray

    @classmethod
    def of(cls, layer: LinearLayer, places: dict[Place, IntArray]) -> "Reader":
        """Find the columns by the places along the layer's input axis; those of a kernel lie together."""
        kernel = int(np.prod(layer.weight.tensor.dims[2:])) if layer.node.op_type == "Conv" else 1
        along = places[layer.weight.name, layer.input_axis]
        return cls(layer, (along[:, :, None] * kernel + np.arange(kernel)).reshape(len(along), -1))

    def gone(self, removed: list[int]) -> Mask:
        """Return for each input whether it belongs to a removed unit."""
        mask = np.zeros(self.layer.matrix.shape[1], bool)
        mask[self.columns[removed].reshape(-1)] = True
        return mask


def order(readers: list[Reader], moments: list[Moments], most: int) -> list[int]:
    """Return the units in the order in which they go, ``most`` of them at most."""
    left, gone = list(range(len(readers[0].columns))), list[int]()
    works = [_Work.start(reader, moment) for reader, moment in zip(readers, moments, strict=True)]
    several = max(1, len(left) // STEPS)
    while len(gone) < most:
        costs = np.sum([work.costs(left) for work in works], axis=0)
        for unit in [left[place] for place in np.argsort(costs, kind="stable")[: min(several, most - len(gone))]]:
            for work in works:
                work.remove(unit)
            left.remove(unit)
            gone.append(unit)
    return gone


@dataclass
class _Work:
    """A reader while its units go."""

    columns: IntArray
    matrix: Matrix
    inverse: FloatArray
    share: float

    @classmethod
    def start(cls, reader: Reader, moments: Moments) -> "_Work":
        tail = int(reader.layer.bias is not None)
        # The last input of the moments is a constant one, the bias's; without a bias it is left out.
        here = slice(None) if tail else slice(-1)
        inputs = _damped(moments.inputs[here, here], tail)
        matrix = reader.layer.whole()
        mean = moments.inputs[-1, here] @ matrix.T
        spread = float(np.einsum("oi,ij,oj->", matrix, moments.inputs[here, here], matrix, optimize=True) - mean @ mean)
        return cls(reader.columns, matrix, np.linalg.inv(inputs), 1 / max(spread, 1e-30))

    def costs(self, units: list[int]) -> Matrix:
        """Return what each unit's removal would add to the error, as a share of the layer's variance."""
        places = self.columns[units]
        # The least error after correction when several weights go at once is w inv(H^-1 of their block) w.T (optimal
        # brain surgeon).
        blocks = np.linalg.inv(self.inverse[places[:, :, None], places[:, None, :]])
        weights = self.matrix[:, places].transpose(1, 0, 2)
        return np.asarray(np.einsum("uok,uok->u", weights @ blocks, weights) * self.share)

    def remove(self, unit: int) -> None:
        """Take a unit out, and let the others make up for it."""
        places = self.columns[unit]
        # One step of Gauss on the inverse: afterwards it is that of the moments without the unit.
        lifted = np.linalg.solve(self.inverse[np.ix_(places, places)], self.inverse[places])
        self.matrix = self.matrix - self.matrix[:, places] @ lifted
        self.inverse = self.inverse - self.inverse[:, places] @ lifted
        # Elimination left zeros there; ones keep the matrix regular.
        self.inverse[places, places] = 1.0


def _damped(moments: Matrix, tail: int) -> Matrix:
    """Hold all but the bias."""
    head = np.ones(len(moments))
    head[len(moments) - tail :] = 1e-6
    return moments + np.diag(head * DAMPING * max(float(np.mean(np.diag(moments))), 1e-12))
