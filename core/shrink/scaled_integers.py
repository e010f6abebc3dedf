"""Weights as integers of a few bits times a scale for each channel, which stock engines fold to float32 while they load.

The product is written as ``Mul``: ``DequantizeLinear`` is not folded by ONNX Runtime 1.31.1, and so is computed anew on
each call, at half the speed of the model or less.
"""

from dataclasses import dataclass

import numpy as np

from core.onnx import linear_layers, second_order, weights
from core.onnx.linear_layers import LinearLayer, Moments
from core.onnx.storage import Storage
from core.onnx.typing import FloatArray, IntArray, Matrix, ModelProto, Samples
from core.onnx.weights import Weight

LEAST = 256
"""Values from which a weight is worth its scales."""
A_SCALE = 16
"""Values that share a scale at least."""
NORMAL = 2.0**-14
"""The smallest number that float16 holds with all its bits."""


@dataclass(frozen=True)
class Scaled:
    """Integers in the shape of a weight, and scales [channels] along ``axis``."""

    codes: IntArray
    scales: FloatArray
    axis: int

    @property
    def spread(self) -> FloatArray:
        """The scales in a shape that multiplies the integers."""
        shape = [1] * self.codes.ndim
        shape[self.axis] = -1
        return self.scales.reshape(shape)

    @property
    def array(self) -> FloatArray:
        """The float32 weights that the integers stand for."""
        return self.codes.astype(np.float32) * self.spread


def candidates(model: ModelProto) -> list[Weight]:
    """Return the finite float32 weights of two dimensions or more that are worth their scales."""
    import onnx

    found = weights.weights(model, LEAST)
    return [w for w in found if w.tensor.data_type == onnx.TensorProto.FLOAT and len(w.tensor.dims) > 1 and w.finite]


def nearest(array: FloatArray, bits: int) -> Scaled:
    """Round to the nearest integers, with the scales along that axis where the squared error is least."""
    axes = [axis for axis, size in enumerate(array.shape) if array.size // size >= A_SCALE] or [
        int(np.argmin(array.shape))
    ]
    tried = [along(array, fitted(array, axis, bits), axis, bits) for axis in axes]
    return min(tried, key=lambda scaled: float(np.sum((scaled.array - array) ** 2)))


def along(array: FloatArray, scales: FloatArray, axis: int, bits: int) -> Scaled:
    """Round to the nearest integers for given scales."""
    rows = np.moveaxis(array, axis, -1)
    return Scaled(np.moveaxis(rounded(rows, scales, bits), -1, axis), scales, axis)


def rounded(rows: FloatArray, scales: FloatArray, bits: int) -> IntArray:
    """Return the integers of ``bits`` bits nearest to an array [..., channels] over scales [channels]."""
    top = 2 ** (bits - 1)
    return np.clip(np.rint(rows / scales), -top, top - 1).astype(np.int16)


def fitted(array: FloatArray, axis: int, bits: int) -> FloatArray:
    """Return float32 scales [channels] that cost the least squared error, rounded to float16 so that they take two bytes."""
    rows = np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis]).astype(np.float64)
    largest = np.abs(rows).max(axis=0)
    best, kept = np.full(len(largest), np.inf), np.ones(len(largest), np.float32)
    for share in np.linspace(1, 0.35, 27):
        # At share 1 the largest weight lies half a step beyond the last integer, so that clipping costs no more than
        # rounding; below it, a few large weights are clipped and all others rounded more finely.
        scales = _half(np.where(largest > 0, share * largest / (2 ** (bits - 1) - 0.5), 1))
        error = np.sum((rounded(rows, scales, bits) * scales - rows) ** 2, axis=0)
        kept, best = np.where(error < best, scales, kept), np.minimum(error, best)
    return kept.astype(np.float32)


def corrected(
    original: ModelProto, model: ModelProto, bits: int, samples: Samples, names: set[str]
) -> dict[str, Scaled]:
    """Round the layers of a model whose weights are named, in place, and return their integers by name.

    In the order in which they run, each on what the layers before it now give, so that the weights of a layer that are
    still free make up for those that were rounded (GPTQ: Frantar 2022, arXiv 2210.17323).
    """
    found: dict[str, Scaled] = {}
    for layer in [layer for layer in linear_layers.layers(model, LEAST) if layer.weight.name in names]:
        found[layer.weight.name] = _corrected(layer, linear_layers.moments(original, model, layer, samples), bits)
    return found


def _corrected(layer: LinearLayer, moments: Moments, bits: int) -> Scaled:
    """Put the rounded weights and the corrected bias of a layer in place, and return its integers."""
    axis = 0 if layer.outputs_first else 1
    scales = fitted(layer.weight.array, axis, bits)

    def solve(matrix: Matrix, inputs: Matrix, tail: int) -> Matrix:
        return second_order.reconstruct(
            matrix,
            inputs,
            lambda *seen: np.ones(seen[0].shape, bool),
            lambda column: rounded(column, scales, bits) * scales,
            tail,
        )

    arrays = layer.solved(moments, solve)
    for weight, array in arrays:
        weight.put(array)
    return along(arrays[0][1], scales, axis, bits)


def store(model: ModelProto, storage: Storage, weight: Weight, scaled: Scaled) -> None:
    """Replace a weight by packed integers, scales and their product."""
    from onnx import helper

    codes, scales = storage.names.short(), storage.names.short()
    weight.beside(codes, scaled.codes.astype(np.float32))
    factors = weights.tensor(scaled.spread, scales)
    weight.make([helper.make_node("Mul", [codes, scales], [weight.name])], [factors])
    for one in weights.weights(model):
        if one.name in (codes, scales):
            storage.put(one, one.array)


def pack(model: ModelProto, names: set[str]) -> None:
    """Store constants of floats, which hold few different values, in as few bits as they need."""
    if not names:
        return
    storage = Storage(model)
    for weight in [weight for weight in weights.weights(model) if weight.name in names]:
        storage.put(weight, weight.array)
    storage.settle()


def _half(scales: FloatArray) -> FloatArray:
    """Round to float16 where it has all its bits."""
    # Below 2**-14 float16 has fewer bits, above 65504 it has no numbers (IEEE 754 binary16).
    small = scales.astype(np.float32)
    return np.where((small >= NORMAL) & (small < 65504), small.astype(np.float16).astype(np.float32), small)
