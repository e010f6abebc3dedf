"""N:M sparsity: of each M consecutive inputs of an output, N stay, as sparse tensor cores read them (Mishra 2021, arXiv 2104.08378).

Consecutive inputs of a convolution are channels at one place of its kernel. What is left over at the end, fewer than M
inputs, stays whole.
"""

import numpy as np

from core.onnx.typing import FloatArray, IntArray
from core.onnx.weights import Weight

ANY = "any"
OPTION = {
    "help": "Prune without a pattern, or keep N of every M consecutive inputs (N:M sparsity); with a pattern, the share is not used.",
    "choices": (ANY, "2:4", "4:8", "1:4"),
}
"""The metadata of the option that techniques have which prune by pattern."""


def parsed(pattern: str) -> tuple[int, int]:
    """Return N and M of a pattern that is not ``any``."""
    few, of = pattern.split(":")
    return int(few), int(of)


def input_axis(weight: Weight) -> int:
    """Return the dimension over which the first reader of a weight sums; the last where it does not multiply."""
    from onnx import helper

    node = next((node for node, place in weight.readers if place == 1), None)
    if node is None or node.op_type not in ("Conv", "Gemm", "MatMul"):
        return len(weight.tensor.dims) - 1
    if node.op_type == "MatMul":
        return len(weight.tensor.dims) - 2
    held = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return 1 if node.op_type == "Conv" or held.get("transB", 0) else 0


def largest_left(array: FloatArray, axis: int, pattern: str) -> FloatArray:
    """Return the array with all but the N largest of each M consecutive entries along an axis at zero."""
    few, of = parsed(pattern)
    moved = np.moveaxis(array, axis, -1)
    whole = moved.shape[-1] // of * of
    grouped = moved[..., :whole].reshape(*moved.shape[:-1], -1, of)
    ranks = np.argsort(np.argsort(-np.abs(grouped), axis=-1, kind="stable"), axis=-1)
    result = moved.copy()
    result[..., :whole] = np.where(ranks < few, grouped, np.zeros((), array.dtype)).reshape(*moved.shape[:-1], whole)
    return np.moveaxis(result, -1, axis)


def groups(inputs: int, kernel: int, of: int) -> tuple[IntArray, IntArray]:
    """Return the columns [groups, M] of a matrix [outputs, inputs * kernel] that are consecutive inputs, and those left over."""
    columns = np.arange(inputs * kernel).reshape(inputs, kernel).T
    whole = inputs // of * of
    return columns[:, :whole].reshape(-1, of), columns[:, whole:].reshape(-1)
