"""Pooling of any rank: largest, mean and norm of a window, or of all of space."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from core.domain.errors import Refused
from core.train.onnx_torch.graph import Node
from core.train.onnx_torch.operators.convolution import CONVS, padded, symmetric, window
from core.train.onnx_torch.operators.table import standard
from core.train.onnx_torch.values import at_least_zero

MAXIMA: dict[int, Callable[..., Any]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
MEANS: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def max_pool(node: Node, x: Tensor) -> Any:
    """Give the largest of each window, and its place in the whole tensor if asked for."""
    if len([out for out in node.outputs if out]) > 1:
        return _max_pool_places(node, x)
    kernel = node.get("kernel_shape")
    strides, dilations, pads = window(node, x, kernel)
    rank, ceil = len(kernel), bool(node.get("ceil_mode", 0))
    whole = not x.is_floating_point()
    y = x.to(torch.float32) if whole else x
    own = symmetric(pads) and all(2 * p <= k for p, k in zip(pads, kernel, strict=False))
    y = y if own else padded(y, pads, float("-inf"))
    y = MAXIMA[rank](y, kernel, strides, pads[:rank] if own else 0, dilations, ceil)
    return y.to(x.dtype) if whole else y


def _max_pool_places(node: Node, x: Tensor) -> tuple[Tensor, Tensor]:
    kernel = node.get("kernel_shape")
    strides, dilations, pads = window(node, x, kernel)
    if not symmetric(pads) or node.get("storage_order", 0):
        raise Refused("it returns indices with uneven padding, or in column order", "Leave out its second output.")
    rank = len(kernel)
    y, places = MAXIMA[rank](
        x, kernel, strides, pads[:rank], dilations, bool(node.get("ceil_mode", 0)), return_indices=True
    )
    planes = x.shape[0] * x.shape[1]
    area: int = 1
    for part in x.shape[2:]:
        area = area * part
    return y, places + (torch.arange(planes) * area).reshape(x.shape[0], x.shape[1], *([1] * rank))


def average_pool(node: Node, x: Tensor) -> Tensor:
    """Average each window, over its elements or (``count_include_pad``) over pads too."""
    kernel = node.get("kernel_shape")
    strides, dilations, pads = window(node, x, kernel)
    rank, include = len(kernel), bool(node.get("count_include_pad", 0))
    plain = symmetric(pads) and set(dilations) == {1} and all(2 * p <= k for p, k in zip(pads, kernel, strict=False))
    if plain:
        return MEANS[rank](x, kernel, strides, pads[:rank], bool(node.get("ceil_mode", 0)), include)
    total, counted = _summed(node, x, kernel, include)
    return total / counted


def lp_pool(node: Node, x: Tensor) -> Any:
    """Give the norm of each window."""
    p = node.get("p", 2)
    total, _ = _summed(node, x.abs() ** p, node.get("kernel_shape"), False)
    return total ** (1.0 / p)


def _summed(node: Node, x: Tensor, kernel: list[int], include: bool) -> tuple[Tensor, Tensor]:
    """Add up each window of x, and count its elements (with pads, without what ``ceil_mode`` adds)."""
    strides, dilations, pads = window(node, x, kernel)
    beyond = _beyond(node, x, kernel, strides, dilations, pads)
    one = torch.ones_like(x[:1, :1])
    inside = padded(one, pads, 1.0 if include else 0.0)
    spread = padded(padded(x, pads, 0.0), beyond, 0.0)
    ones = torch.ones((1, 1, *kernel), dtype=x.dtype)
    add = CONVS[len(kernel)]
    flat = spread.reshape(-1, 1, *spread.shape[2:])
    total = add(flat, ones, None, strides, 0, dilations)
    counted = add(padded(inside, beyond, 0.0), ones, None, strides, 0, dilations)
    return total.reshape(x.shape[0], x.shape[1], *total.shape[2:]), counted


def _beyond(
    node: Node, x: Tensor, kernel: list[int], strides: list[int], dilations: list[int], pads: list[int]
) -> list[int]:
    """Return pads behind the end for ``ceil_mode``; a window that would start there is left out."""
    rank, behind = len(kernel), []
    for d in range(rank):
        size = x.shape[2 + d] + pads[d] + pads[rank + d]
        reach = (kernel[d] - 1) * dilations[d] + 1
        places = -(-(size - reach) // strides[d]) + 1 if node.get("ceil_mode", 0) else (size - reach) // strides[d] + 1
        if isinstance(places, int) and (places - 1) * strides[d] >= x.shape[2 + d] + pads[d]:
            places -= 1
        needed = (places - 1) * strides[d] + reach - size
        behind.append(at_least_zero(needed))
    return [0] * rank + behind


def overall(function: Callable[[Tensor, list[int]], Tensor]) -> Callable[[Node, Tensor], Tensor]:
    """Pool over all of space."""
    return lambda node, x: function(x, list(range(2, x.dim())))


def global_norm(node: Node, x: Tensor) -> Any:
    """Give the norm over all of space."""
    p = node.get("p", 2)
    return (x.abs() ** p).sum(list(range(2, x.dim())), keepdim=True) ** (1.0 / p)


TABLE = standard(
    {
        "MaxPool": max_pool,
        "AveragePool": average_pool,
        "LpPool": lp_pool,
        "GlobalAveragePool": overall(lambda x, axes: x.mean(axes, keepdim=True)),
        "GlobalMaxPool": overall(lambda x, axes: x.amax(axes, keepdim=True)),
        "GlobalLpPool": global_norm,
    }
)
