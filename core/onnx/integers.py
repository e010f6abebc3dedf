"""What quantized ONNX files have in common: the operators that give them away, the integers that stand for weights, and the proof that a file shrank."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from core.domain.errors import Refused, Trouble
from core.onnx import files, weights
from core.onnx.typing import FloatArray, IntArray, Matrix, ModelProto

MARKS = (
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "ConvInteger",
    "QLinearMatMul",
    "QLinearConv",
)
"""Operators of ONNX that only quantized files hold; those of com.microsoft are told by ``Q`` in ``MatMulNBits`` and the like."""
FOREIGN = ("QLinear", "DynamicQuantize", "MatMulNBits", "MatMulInteger", "GatherBlockQuantized", "QAttention", "QGemm")
GAIN = 0.01
"""Share of a file that must go: below it, shorter names and the like are all that was won."""
AGAIN = "Compress the file that this one was made from; what quantization has lost cannot be regained."


def already(operators: Iterable[str]) -> Trouble | None:
    """Return why a file with these operators is not quantized a second time, or None when it holds no integers yet."""
    found = sorted({name for name in operators if name in MARKS or name.rpartition(".")[2].startswith(FOREIGN)})
    if not found:
        return None
    return Trouble(Refused.kind, f"This file is already quantized: it holds {', '.join(found)}.", AGAIN)


def refuse_quantized(model: ModelProto) -> None:
    """Raise Refused where a node anywhere in the model is one of integer arithmetic."""
    if trouble := already(node.op_type for node in weights.nodes(model.graph)):
        raise Refused(trouble.message, trouble.next_step)


def symmetric(
    array: FloatArray, axis: int | None, top: int = 127, least: FloatArray | float = 0.0
) -> tuple[IntArray, FloatArray]:
    """Return int8 values in [-top, top] and their float32 scales, ``least`` or more: one number, or one for each place along ``axis``."""
    others = tuple(place for place in range(array.ndim) if place != axis)
    largest = np.abs(array).max(axis=None if axis is None else others)
    scale = np.maximum(largest / top, least)
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    spread = scale if axis is None else np.expand_dims(scale, others)
    return np.clip(np.rint(array / spread), -top, top).astype(np.int8), scale


def moved(array: FloatArray, values: IntArray, scales: FloatArray, axis: int, mean: Matrix) -> Matrix:
    """Return by how much rounding the weights of a layer moves the mean of its answers [outputs].

    ``axis`` is that of the outputs; ``mean`` [channels] is of what the layer reads. Weights of more than two dimensions are
    of a convolution, in groups where they have fewer channels.
    """
    others = [place for place in range(array.ndim) if place != axis]
    error = values * (np.expand_dims(scales, others) if np.ndim(scales) else scales).astype(np.float64) - array
    if array.ndim == 2:
        return np.moveaxis(error, axis, 0) @ mean
    outputs, inputs = array.shape[:2]
    groups = len(mean) // inputs
    sums = error.reshape(groups, outputs // groups, inputs, -1).sum(-1)
    return np.ravel(np.einsum("goi,gi->go", sums, mean.reshape(groups, inputs)))


def unsigned(rounded: np.ndarray) -> np.ndarray:
    """Return the same numbers in uint8 around the zero point 128."""
    return (rounded.astype(np.int16) + 128).astype(np.uint8)


def written(model: ModelProto, out: Path) -> Path:
    """Write a compressed model without what it no longer needs, and return its path. Raises Refused where it is not valid."""
    weights.tidy(model)
    model.ir_version = max(model.ir_version, 4, files.lowest_ir(model))
    files.write(model, out)
    return out


def finish(model: ModelProto, source: Path, out: Path) -> None:
    """Write a compressed model and load it once. Raises Refused where it is not valid, or hardly smaller than its source."""
    written(model, out)
    before, after = source.stat().st_size, out.stat().st_size
    if after > (1 - GAIN) * before:
        raise Refused(
            f"The result has {after} bytes where the file had {before}: the model is too small to gain, or stored in few bits already.",
            "Keep it as it is, or choose another technique.",
        )
    files.loads(out)
