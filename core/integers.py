"""What quantized ONNX files have in common: the operators that give them away, the integers that stand for weights, and the proof that a file shrank."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from core import onnx_files, onnx_weights
from core.domain.errors import Refused, Trouble

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


def refuse_quantized(model: Any) -> None:
    """Raise Refused where a node anywhere in the model is one of integer arithmetic."""
    nodes = [node for graph in onnx_weights.graphs(model.graph) for node in graph.node]
    if trouble := already(node.op_type for node in nodes):
        raise Refused(trouble.message, trouble.next_step)


def symmetric(array: Any, axis: int | None, top: int = 127, least: Any = 0.0) -> tuple[Any, Any]:
    """Return int8 values in [-top, top] and their float32 scales, ``least`` or more: one number, or one for each place along ``axis``."""
    others = tuple(place for place in range(array.ndim) if place != axis)
    largest = np.abs(array).max(axis=None if axis is None else others)
    scale = np.maximum(largest / top, least)
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    spread = scale if axis is None else np.expand_dims(scale, others)
    return np.clip(np.rint(array / spread), -top, top).astype(np.int8), scale


def moved(array: Any, values: Any, scales: Any, axis: int, mean: Any) -> Any:
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
    return np.einsum("goi,gi->go", sums, mean.reshape(groups, inputs)).reshape(-1)


def unsigned(rounded: Any) -> Any:
    """Return the same numbers in uint8 around the zero point 128."""
    return (rounded.astype(np.int16) + 128).astype(np.uint8)


def written(model: Any, out: Path) -> Path:
    """Write a compressed model without what it no longer needs, and return its path. Raises Refused where it is not valid."""
    onnx_weights.tidy(model)
    model.ir_version = max(model.ir_version, 4, onnx_files.lowest_ir(model))
    onnx_files.write(model, out)
    return out


def finish(model: Any, source: Path, out: Path) -> None:
    """Write a compressed model and load it once. Raises Refused where it is not valid, or hardly smaller than its source."""
    written(model, out)
    before, after = source.stat().st_size, out.stat().st_size
    if after > (1 - GAIN) * before:
        raise Refused(
            f"The result has {after} bytes where the file had {before}: the model is too small to gain, or stored in few bits already.",
            "Keep it as it is, or choose another technique.",
        )
    onnx_files.loads(out)


class Names:
    """Names of values that a model does not use yet, as short as they can be."""

    def __init__(self, model: Any) -> None:
        self._taken = onnx_weights.names(model)
        self._next = 0

    def new(self) -> str:
        """Return the next free name."""
        while (name := f"q{self._next}") in self._taken:
            self._next += 1
        self._taken.add(name)
        return name
