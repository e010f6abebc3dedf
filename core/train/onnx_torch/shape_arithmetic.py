"""The arithmetic of shapes: operators on Known values, which stay numbers (or symbols) and never become tensors."""

from collections.abc import Callable
from functools import reduce

import numpy as np
import torch

from core.train.onnx_torch.dtypes import torch_dtype
from core.train.onnx_torch.graph import Node
from core.train.onnx_torch.values import NUMPY, Known

OnNumbers = Callable[..., Known | None]


def _same(function: Callable[..., np.ndarray | np.generic]) -> OnNumbers:
    """Take a function of NumPy arrays whose result has the dtype of its first input."""
    return lambda node, *given: Known(function(*(one.array for one in given)), given[0].dtype)


def _truth(function: Callable[..., np.ndarray | np.generic]) -> OnNumbers:
    """Take a comparison of NumPy arrays."""
    return lambda node, *given: Known(np.asarray(function(*(one.array for one in given))).astype(bool), torch.bool)


def _axes(node: Node, given: tuple[Known, ...]) -> tuple[int, ...] | None:
    found = given[1].array.reshape(-1).tolist() if len(given) > 1 and given[1] is not None else node.get("axes")
    return None if found is None else tuple(int(axis) for axis in found)


def _gather(node: Node, data: Known, places: Known) -> Known | None:
    if places.array.dtype == object:
        return None
    return Known(np.take(data.array, places.array, axis=node.get("axis", 0)), data.dtype)


def _concat(node: Node, *given: Known) -> Known:
    return Known(np.concatenate([one.array for one in given], axis=node.get("axis", 1)), given[0].dtype)


def _squeeze(node: Node, *given: Known) -> Known:
    return Known(np.squeeze(given[0].array, axis=_axes(node, given)), given[0].dtype)


def _unsqueeze(node: Node, *given: Known) -> Known:
    return Known(np.expand_dims(given[0].array, _axes(node, given) or (0,)), given[0].dtype)


def _reshape(node: Node, data: Known, target: Known) -> Known | None:
    if target.array.dtype == object or 0 in target.array:
        return None
    return Known(data.array.reshape(target.array.tolist()), data.dtype)


def _slice(node: Node, *given: Known) -> Known | None:
    data, *bounds = given
    if any(one is not None and one.array.dtype == object for one in bounds):
        return None
    starts, ends, axes, steps = (*(None if one is None else one.array.tolist() for one in bounds), *[None] * 4)[:4]
    starts, ends = starts or node.get("starts"), ends or node.get("ends")
    whole = [slice(None)] * data.array.ndim
    for place, start, end, step in zip(
        axes or node.get("axes") or range(len(starts)), starts, ends, steps or [1] * len(starts), strict=True
    ):
        whole[place] = slice(start, end if end > -(2**31) else None, step)
    return Known(data.array[tuple(whole)], data.dtype)


def _cast(node: Node, data: Known) -> Known | None:
    dtype = torch_dtype(node.get("to"))
    if dtype not in NUMPY or (data.array.dtype == object and (dtype.is_floating_point or dtype is torch.bool)):
        return None
    return Known(data.array, dtype)


def _divide(node: Node, a: Known, b: Known) -> Known | None:
    if a.dtype.is_floating_point:
        return None if object in (a.array.dtype, b.array.dtype) else Known(a.array / b.array, a.dtype)
    if object in (a.array.dtype, b.array.dtype):
        return Known(a.array // b.array, a.dtype)
    return Known(np.trunc(a.array / b.array), a.dtype) if np.all(b.array != 0) else None


def _modulo(node: Node, a: Known, b: Known) -> Known | None:
    return None if node.get("fmod", 0) else Known(np.mod(a.array, b.array), a.dtype)


def _reduce(function: Callable[..., np.ndarray | np.generic]) -> OnNumbers:
    def run(node: Node, *given: Known) -> Known | None:
        axes = _axes(node, given)
        if not axes and node.get("noop_with_empty_axes", 0):
            return None
        return Known(
            function(given[0].array, axis=axes or None, keepdims=bool(node.get("keepdims", 1))), given[0].dtype
        )

    return run


def _constant_of_shape(node: Node, target: Known) -> Known | None:
    value = node.get("value")
    dtype = torch.float32 if value is None else value.dtype
    if target.array.dtype == object or target.array.size > 2 or int(np.prod(target.array)) > 64 or dtype not in NUMPY:
        return None
    return Known(np.full(target.array.tolist(), 0.0 if value is None else value.item(), dtype=NUMPY[dtype]), dtype)


def _expand(node: Node, data: Known, target: Known) -> Known | None:
    if target.array.dtype == object:
        return None
    shape = np.broadcast_shapes(data.array.shape, tuple(target.array.tolist()))
    return Known(np.broadcast_to(data.array, shape), data.dtype) if int(np.prod(shape)) <= 64 else None


def _where(node: Node, condition: Known, a: Known, b: Known) -> Known | None:
    return None if condition.array.dtype == object else Known(np.where(condition.array, a.array, b.array), a.dtype)


def _shape(node: Node, data: Known) -> Known:
    dims = data.array.shape[node.get("start", 0) : node.get("end", data.array.ndim)]
    return Known(np.array(dims, dtype=np.int64), torch.int64)


def _most(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> OnNumbers:
    """Take a maximum or minimum of plain numbers; symbols would need a guard."""

    def run(node: Node, *given: Known) -> Known | None:
        if any(one.array.dtype == object for one in given):
            return None
        return Known(reduce(function, [one.array for one in given]), given[0].dtype)

    return run


_ROWS: dict[str, OnNumbers] = {
    "Identity": _same(lambda a: a),
    "Add": _same(np.add),
    "Sub": _same(np.subtract),
    "Mul": _same(np.multiply),
    "Neg": _same(np.negative),
    "Div": _divide,
    "Mod": _modulo,
    "Max": _most(np.maximum),
    "Min": _most(np.minimum),
    "Equal": _truth(np.equal),
    "Greater": _truth(np.greater),
    "Less": _truth(np.less),
    "GreaterOrEqual": _truth(np.greater_equal),
    "LessOrEqual": _truth(np.less_equal),
    "And": _truth(np.logical_and),
    "Or": _truth(np.logical_or),
    "Not": _truth(np.logical_not),
    "Gather": _gather,
    "Concat": _concat,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Slice": _slice,
    "Cast": _cast,
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Where": _where,
    "Shape": _shape,
}
ON_NUMBERS: dict[tuple[str, str], OnNumbers] = {("", name): row for name, row in _ROWS.items()}
