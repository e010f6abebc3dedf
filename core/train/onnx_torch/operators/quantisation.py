"""Whole numbers with a scale and a zero point, and back."""

import torch
from torch import Tensor

from core.domain.errors import Refused
from core.train.onnx_torch.dtypes import torch_dtype
from core.train.onnx_torch.graph import Node
from core.train.onnx_torch.operators.convolution import conv
from core.train.onnx_torch.operators.table import Operator, standard


def quantize(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """Round ``x / scale + zero`` (halves to even) and clamp it to the dtype."""
    code = node.get("output_dtype", 0)
    dtype = zero.dtype if zero is not None else torch_dtype(code) if code else torch.uint8
    scaled = x / _spread(node, x, scale).to(x.dtype)
    if dtype.is_floating_point:
        raise Refused(f"it rounds to {dtype}, where torch and ONNX differ", "Quantize to whole numbers.")
    low, high = torch.iinfo(dtype).min, torch.iinfo(dtype).max
    moved = torch.round(scaled) if zero is None else torch.round(scaled) + _spread(node, x, zero).to(x.dtype)
    return torch.clamp(moved, low, high).to(dtype)


def dequantize(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """Give ``(x - zero) scale`` in the scale's dtype."""
    if x.dtype.is_floating_point:
        return x.to(scale.dtype) * _spread(node, x, scale)
    wide = x.to(torch.int32) if zero is None else x.to(torch.int32) - _spread(node, x, zero).to(torch.int32)
    return wide.to(scale.dtype) * _spread(node, x, scale)


def _spread(node: Node, x: Tensor, part: Tensor) -> Tensor:
    """Lay scales or zero points along ``axis``, in blocks where there is a ``block_size``."""
    axis, block = node.get("axis", 1), node.get("block_size", 0)
    if part.dim() == 0 or part.numel() == 1:
        return part.reshape(())
    axis = axis % x.dim()
    if block:
        return part.repeat_interleave(block, axis).narrow(axis, 0, x.shape[axis])
    return part.reshape([-1 if d == axis else 1 for d in range(x.dim())])


def dynamic_quantize(node: Node, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Quantize to uint8 by the range of the data; scale and zero point come out too."""
    low, high = torch.clamp(x.amin(), max=0.0), torch.clamp(x.amax(), min=0.0)
    scale = (high - low) / 255
    safe = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero = torch.clamp(torch.round(-low / safe), 0, 255)
    y = torch.clamp(torch.round(x / safe) + zero, 0, 255).to(torch.uint8)
    return y, scale, zero.to(torch.uint8)


def quantized_conv(
    node: Node,
    x: Tensor,
    xs: Tensor,
    xz: Tensor,
    w: Tensor,
    ws: Tensor,
    wz: Tensor,
    ys: Tensor,
    yz: Tensor,
    b: Tensor | None = None,
) -> Tensor:
    """Convolve quantized numbers exactly, then scale and round once."""
    column = [-1] + [1] * (w.dim() - 1)
    wide = x.to(torch.float64) - xz.to(torch.float64)
    kernel = w.to(torch.float64) - (wz.to(torch.float64).reshape(column) if wz.dim() else wz.to(torch.float64))
    total = conv(node, wide, kernel, None if b is None else b.to(torch.float64))
    factor = (xs * ws / ys).to(torch.float64)
    return _requantized(total * (factor.reshape(column[:-1]) if factor.dim() else factor), yz)


def quantized_matmul(
    node: Node, a: Tensor, a_s: Tensor, az: Tensor, b: Tensor, bs: Tensor, bz: Tensor, ys: Tensor, yz: Tensor
) -> Tensor:
    """Multiply quantized matrices exactly, then scale and round once."""
    left = a.to(torch.float64) - _rows(az).to(torch.float64)
    total = torch.matmul(left, b.to(torch.float64) - bz.to(torch.float64))
    return _requantized(total * (_rows(a_s) * bs / ys).to(torch.float64), yz)


def _rows(part: Tensor) -> Tensor:
    return part.unsqueeze(-1) if part.dim() == 1 and part.shape[0] > 1 else part


def _requantized(value: Tensor, zero: Tensor) -> Tensor:
    bounds = torch.iinfo(zero.dtype)
    return torch.clamp(torch.round(value) + zero.to(torch.float64), bounds.min, bounds.max).to(zero.dtype)


TABLE = standard(
    {
        "QuantizeLinear": Operator(quantize, frozen=(1, 2)),
        "DequantizeLinear": Operator(dequantize, frozen=(1, 2)),
        "DynamicQuantizeLinear": dynamic_quantize,
        "QLinearConv": Operator(quantized_conv, frozen=(1, 2, 4, 5, 6, 7)),
        "QLinearMatMul": Operator(quantized_matmul, frozen=(1, 2, 4, 5, 6, 7)),
    }
)
