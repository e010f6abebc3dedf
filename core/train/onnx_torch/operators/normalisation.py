"""Operators that normalise: by stored statistics, by those of the sample, or by neighbours."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from core.train.onnx_torch.graph import Node
from core.train.onnx_torch.operators.table import Operator, standard


def batch_norm(
    node: Node, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor
) -> Tensor | tuple[Tensor, ...]:
    """Normalise by stored statistics, or by the batch's with ``training_mode`` (then the running ones come out too)."""
    eps = node.get("epsilon", 1e-5)
    if not node.get("training_mode", 0):
        return F.batch_norm(x, mean.to(x.dtype), var.to(x.dtype), scale, bias, False, 0.0, eps)
    axes, keep = [d for d in range(x.dim()) if d != 1], node.get("momentum", 0.9)
    now, spread = x.mean(axes), x.var(axes, unbiased=False)
    y = F.batch_norm(x, now, spread, scale, bias, False, 0.0, eps)
    return y, mean * keep + now * (1 - keep), var * keep + spread * (1 - keep)


def instance_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Normalise each channel of each sample."""
    axes = list(range(2, x.dim()))
    mean, var = x.mean(axes, keepdim=True), x.var(axes, unbiased=False, keepdim=True)
    column = [1, -1] + [1] * len(axes)
    normal = (x - mean) * torch.rsqrt(var + node.get("epsilon", 1e-5))
    return normal * scale.reshape(column) + bias.reshape(column)


def layer_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
    """Normalise over the last dimensions from ``axis`` on; mean and inverse spread come out if asked for."""
    axis, eps = node.get("axis", -1) % x.dim(), node.get("epsilon", 1e-5)
    inner = list(x.shape[axis:])
    if sum(bool(out) for out in node.outputs) == 1 and list(scale.shape) == inner:
        return F.layer_norm(x, inner, scale, bias, eps)
    axes = list(range(axis, x.dim()))
    mean, var = x.mean(axes, keepdim=True), x.var(axes, unbiased=False, keepdim=True)
    inverse = torch.rsqrt(var + eps)
    y = (x - mean) * inverse * scale
    return (y if bias is None else y + bias), mean, inverse


def rms_norm(node: Node, x: Tensor, scale: Tensor) -> Tensor:
    """Divide by the root of the mean square over the last dimensions (arXiv 1910.07467), in 32 bits at least."""
    axes = list(range(node.get("axis", -1) % x.dim(), x.dim()))
    wide = x.to(torch.float32) if x.dtype in (torch.float16, torch.bfloat16) else x
    inverse = torch.rsqrt((wide * wide).mean(axes, keepdim=True) + node.get("epsilon", 1e-5))
    return (wide * inverse).to(x.dtype) * scale


def group_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Normalise groups of channels; scale and bias are one a group before opset 21, one a channel since."""
    groups, channels = node.get("num_groups"), x.shape[1]
    if scale.shape[0] != channels:
        scale, bias = (part.repeat_interleave(channels // groups) for part in (scale, bias))
    return F.group_norm(x, groups, scale, bias, node.get("epsilon", 1e-5))


def lp_norm(node: Node, x: Tensor) -> Tensor:
    """Divide by the norm along an axis; a vector of zeros stays one."""
    axis, p = node.get("axis", -1), node.get("p", 2)
    norm = x.abs().sum(axis, keepdim=True) if p == 1 else torch.sqrt((x * x).sum(axis, keepdim=True))
    return torch.where(norm == 0, torch.zeros_like(x), x / torch.where(norm == 0, torch.ones_like(norm), norm))


def mean_variance(node: Node, x: Tensor) -> Tensor:
    """Subtract the mean and divide by the spread along axes."""
    axes = node.get("axes", [0, 2, 3])
    mean = x.mean(axes, keepdim=True)
    spread = torch.sqrt((x * x).mean(axes, keepdim=True) - mean * mean)
    return (x - mean) / (spread + 1e-9)


def local_response(node: Node, x: Tensor) -> Tensor:
    """Divide by the power of neighbouring channels."""
    size, alpha = node.get("size"), node.get("alpha", 1e-4)
    before = (size - 1) // 2
    square = F.pad((x * x).flatten(2).unsqueeze(1), (0, 0, before, size - 1 - before))
    around = F.avg_pool2d(square, (size, 1), 1).squeeze(1).reshape(x.shape) * size
    return x / torch.pow(node.get("bias", 1.0) + alpha / size * around, node.get("beta", 0.75))


TABLE = standard(
    {
        "BatchNormalization": Operator(batch_norm, frozen=(3, 4)),
        "InstanceNormalization": instance_norm,
        "LayerNormalization": layer_norm,
        "RMSNormalization": rms_norm,
        "SimplifiedLayerNormalization": rms_norm,
        "GroupNormalization": group_norm,
        "LpNormalization": lp_norm,
        "MeanVarianceNormalization": mean_variance,
        "LRN": local_response,
    }
)
