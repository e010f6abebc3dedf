"""Operators that reduce along axes, and those that normalise to shares along one."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from core.train.onnx_torch.graph import Node
from core.train.onnx_torch.operators.table import Operator, standard

Reduction = Callable[[Tensor, list[int], bool], Tensor]


def reduced(function: Reduction) -> Operator:
    """Take a function of tensor, axes and whether to keep them; axes are an attribute or, later, an input."""

    def run(node: Node, x: Tensor, axes: list[int] | int | None = None) -> Tensor:
        axes = axes if axes is not None else node.get("axes")
        axes = [axes] if isinstance(axes, int) else axes
        if not axes and node.get("noop_with_empty_axes", 0):
            return function(x.unsqueeze(0), [0], False)
        return function(x, list(axes or range(x.dim())), bool(node.get("keepdims", 1)))

    return Operator(run, static=(1,))


def total(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    """Add up in the dtype of the input."""
    return torch.sum(x, axes, keep, dtype=x.dtype) if axes else x


def product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    """Multiply along several axes."""
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = torch.prod(x, axis, keepdim=keep, dtype=x.dtype)
    return x


def average(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    """Average; whole numbers are divided as whole numbers."""
    if not axes:
        return x
    if x.is_floating_point():
        return torch.mean(x, axes, keep)
    return torch.mean(x.to(torch.float64), axes, keep).to(x.dtype)


def largest(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    """Give the largest."""
    return torch.amax(x.to(torch.uint8), axes, keep).bool() if x.dtype == torch.bool else torch.amax(x, axes, keep)


def smallest(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    """Give the smallest."""
    return torch.amin(x.to(torch.uint8), axes, keep).bool() if x.dtype == torch.bool else torch.amin(x, axes, keep)


def _root(x: Tensor) -> Tensor:
    return torch.sqrt(x) if x.is_floating_point() else torch.sqrt(x.to(torch.float64)).to(x.dtype)


def best(node: Node, x: Tensor, sign: int) -> Any:
    """Give the place of the largest (or, with ``sign`` -1, smallest) element, the first or the last of equals."""
    axis, keep = node.get("axis", 0), bool(node.get("keepdims", 1))
    find = torch.argmax if sign > 0 else torch.argmin
    if not node.get("select_last_index", 0):
        return find(x, axis, keepdim=keep)
    return x.shape[axis] - 1 - find(x.flip(axis), axis, keepdim=keep)


def softmax(function: Callable[[Tensor, int], Tensor]) -> Callable[[Node, Tensor], Tensor]:
    """Apply along one axis, and before opset 13 over all dimensions from ``axis`` on together."""

    def run(node: Node, x: Tensor) -> Tensor:
        if node.opset >= 13:
            return function(x, node.get("axis", -1))
        axis = node.get("axis", 1) % max(x.dim(), 1)
        if axis == x.dim() - 1:
            return function(x, -1)
        return function(x.flatten(axis), -1).reshape(x.shape)

    return run


def hardmax(x: Tensor, axis: int) -> Tensor:
    """Set the first largest to one and the rest to zero."""
    places = torch.argmax(x, axis, keepdim=True)
    return torch.zeros_like(x).scatter(axis, places, torch.ones_like(places, dtype=x.dtype))


TABLE = standard(
    {
        "ReduceSum": reduced(total),
        "ReduceMean": reduced(average),
        "ReduceMax": reduced(largest),
        "ReduceMin": reduced(smallest),
        "ReduceProd": reduced(product),
        "ReduceL1": reduced(lambda x, axes, keep: total(torch.abs(x), axes, keep)),
        "ReduceL2": reduced(lambda x, axes, keep: _root(total(x * x, axes, keep))),
        "ReduceSumSquare": reduced(lambda x, axes, keep: total(x * x, axes, keep)),
        "ReduceLogSum": reduced(lambda x, axes, keep: torch.log(total(x, axes, keep))),
        "ReduceLogSumExp": reduced(lambda x, axes, keep: torch.logsumexp(x, axes, keep)),
        "ArgMax": lambda node, x: best(node, x, 1),
        "ArgMin": lambda node, x: best(node, x, -1),
        "Softmax": softmax(lambda x, axis: torch.softmax(x, axis)),
        "LogSoftmax": softmax(lambda x, axis: torch.log_softmax(x, axis)),
        "Hardmax": softmax(hardmax),
    }
)
