"""Convolutions, plain and transposed, of any rank."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from core.train.onnx_torch.graph import Node
from core.train.onnx_torch.operators.table import Operator, standard
from core.train.onnx_torch.values import at_least_zero

CONVS: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED: dict[int, Callable[..., Tensor]] = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def window(node: Node, x: Tensor, kernel: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Return strides, dilations and pads (all begins, then all ends) of a sliding window; ``auto_pad`` is worked out."""
    rank = len(kernel)
    strides, dilations = node.get("strides") or [1] * rank, node.get("dilations") or [1] * rank
    mode = node.get("auto_pad", "NOTSET")
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        return strides, dilations, ([0] * 2 * rank if mode == "VALID" else node.get("pads") or [0] * 2 * rank)
    totals = [
        _missing(size, stride, (k - 1) * dilation + 1)
        for size, stride, k, dilation in zip(x.shape[2:], strides, kernel, dilations, strict=True)
    ]
    small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return strides, dilations, [*small, *large] if mode == "SAME_UPPER" else [*large, *small]


def _missing(size: int, stride: int, reach: int) -> Any:
    """Return what must be added to a size so that the window, moved by the stride, gives ceil(size / stride) places."""
    if stride == 1:
        return reach - 1
    needed = (-(-size // stride) - 1) * stride + reach - size
    return at_least_zero(needed)


def padded(x: Tensor, pads: list[int], value: float) -> Tensor:
    """Pad the dimensions behind the channels; the pads are all begins, then all ends."""
    rank = len(pads) // 2
    flat = [part for axis in reversed(range(rank)) for part in (pads[axis], pads[rank + axis])]
    return x if all(isinstance(p, int) and p == 0 for p in flat) else F.pad(x, flat, value=value)


def symmetric(pads: list[int]) -> bool:
    """Say whether begins and ends are the same plain numbers, so that the operator itself can pad."""
    rank = len(pads) // 2
    return all(isinstance(p, int) and p >= 0 for p in pads) and list(pads[:rank]) == list(pads[rank:])


def conv(node: Node, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    """Convolve; pads that differ at the two ends are put on before."""
    rank = x.dim() - 2
    strides, dilations, pads = window(node, x, list(w.shape[2:]))
    own = symmetric(pads)
    x = x if own else padded(x, pads, 0.0)
    return CONVS[rank](x, w, b, strides, pads[:rank] if own else 0, dilations, node.get("group", 1))


def conv_transpose(node: Node, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    """Convolve transposed; what pads, output padding or a wanted size take or give is cut and added at the ends."""
    rank = x.dim() - 2
    strides, dilations = node.get("strides") or [1] * rank, node.get("dilations") or [1] * rank
    extra = node.get("output_padding") or [0] * rank
    whole = [
        (size - 1) * stride + (k - 1) * dilation + 1
        for size, stride, k, dilation in zip(x.shape[2:], strides, w.shape[2:], dilations, strict=True)
    ]
    pads = _transposed_pads(node, x, whole, strides, extra)
    y = TRANSPOSED[rank](x, w, None, strides, 0, 0, node.get("group", 1), dilations)
    ends = [-p + e for p, e in zip(pads[rank:], extra, strict=True)]
    y = padded(y, [*(-p for p in pads[:rank]), *ends], 0.0)
    return y if b is None else y + b.reshape([-1] + [1] * rank)


def _transposed_pads(node: Node, x: Tensor, whole: list[int], strides: list[int], extra: list[int]) -> list[int]:
    rank, mode, wanted = len(whole), node.get("auto_pad", "NOTSET"), node.get("output_shape")
    if wanted is None and mode in ("NOTSET", "VALID"):
        return node.get("pads") or [0] * 2 * rank
    wanted = wanted or [size * stride for size, stride in zip(x.shape[2:], strides, strict=True)]
    totals = [full + e - want for full, e, want in zip(whole, extra, wanted[-rank:], strict=True)]
    small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return [*small, *large] if mode == "SAME_UPPER" else [*large, *small]


def conv_integer(
    node: Node, x: Tensor, w: Tensor, x_zero: Tensor | None = None, w_zero: Tensor | None = None
) -> Tensor:
    """Convolve whole numbers beside their zero points; in 64-bit floats the sums are exact."""
    wide = x.to(torch.float64) if x_zero is None else x.to(torch.float64) - x_zero.to(torch.float64)
    kernel = w.to(torch.float64)
    if w_zero is not None:
        kernel = kernel - w_zero.to(torch.float64).reshape([-1] + [1] * (w.dim() - 1))
    return conv(node, wide, kernel).to(torch.int32)


TABLE = standard(
    {
        "Conv": conv,
        "ConvTranspose": conv_transpose,
        "ConvInteger": Operator(conv_integer, frozen=(2, 3)),
    }
)
