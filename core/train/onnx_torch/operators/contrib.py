"""Operators that ONNX Runtime adds and exporters for transformers write (domain com.microsoft)."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from core.train.onnx_torch.graph import Node
from core.train.onnx_torch.operators.normalisation import layer_norm, rms_norm
from core.train.onnx_torch.operators.table import Key, Operator, Results


def fast_gelu(node: Node, x: Tensor, bias: Tensor | None = None) -> Tensor:
    """Gaussian error unit by tanh, after a bias if there is one."""
    return F.gelu(x if bias is None else x + bias, approximate="tanh")


def quick_gelu(node: Node, x: Tensor) -> Tensor:
    """``x sigmoid(alpha x)``."""
    return x * torch.sigmoid(node.get("alpha", 1.702) * x)


def fused_matmul(node: Node, a: Tensor, b: Tensor) -> Any:
    """``alpha A B``, either of them transposed."""
    a = a.transpose(-1, -2) if node.get("transA", 0) else a
    b = b.transpose(-1, -2) if node.get("transB", 0) else b
    return torch.matmul(a, b) * node.get("alpha", 1.0)


def skip_layer_norm(
    node: Node, x: Tensor, skip: Tensor, scale: Tensor, beta: Tensor | None = None, bias: Tensor | None = None
) -> tuple[Tensor, ...]:
    """Add a shortcut and a bias, normalise; the sum comes out last."""
    total = x + skip if bias is None else x + skip + bias
    axes = [total.dim() - 1]
    mean, var = total.mean(axes, keepdim=True), total.var(axes, unbiased=False, keepdim=True)
    inverse = torch.rsqrt(var + node.get("epsilon", 1e-12))
    y = (total - mean) * inverse * scale
    return (y if beta is None else y + beta), mean, inverse, total


def skip_rms_norm(node: Node, x: Tensor, skip: Tensor, scale: Tensor, bias: Tensor | None = None) -> tuple[Tensor, ...]:
    """Add a shortcut and a bias, divide by the root of the mean square; the sum comes out last."""
    total = x + skip if bias is None else x + skip + bias
    y = rms_norm(node, total, scale)
    return y, total, total, total


_ROWS: dict[str, Callable[..., Results]] = {
    "Gelu": lambda node, x: F.gelu(x),
    "BiasGelu": lambda node, x, bias: F.gelu(x + bias),
    "FastGelu": fast_gelu,
    "QuickGelu": quick_gelu,
    "FusedMatMul": fused_matmul,
    "LayerNormalization": layer_norm,
    "SimplifiedLayerNormalization": rms_norm,
    "SkipLayerNormalization": skip_layer_norm,
    "SkipSimplifiedLayerNormalization": skip_rms_norm,
}
TABLE: dict[Key, Operator] = {("com.microsoft", name): Operator(run) for name, run in _ROWS.items()}
