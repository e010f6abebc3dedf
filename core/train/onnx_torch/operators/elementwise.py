"""Operators on elements: arithmetic, comparison, logic, activations, casts."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from core.domain.errors import Refused
from core.train.onnx_torch.dtypes import torch_dtype
from core.train.onnx_torch.graph import Node
from core.train.onnx_torch.operators.table import Operator, standard


def unary(function: Callable[[Tensor], Tensor]) -> Callable[[Node, Tensor], Tensor]:
    """Take a function of one tensor as an operator without attributes."""
    return lambda node, x: function(x)


def binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Node, Tensor, Tensor], Tensor]:
    """Take a function of two tensors as an operator without attributes."""
    return lambda node, a, b: function(a, b)


def folded(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Take a function of two tensors as an operator on any number of them."""
    return lambda node, *inputs: reduce(function, inputs)


def divide(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Divide; whole numbers are cut towards zero."""
    return a / b if a.is_floating_point() or a.is_complex() else torch.div(a, b, rounding_mode="trunc")


def modulo(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Give the remainder with the sign of the divisor, or with ``fmod`` that of the dividend."""
    return torch.fmod(a, b) if node.get("fmod", 0) else torch.remainder(a, b)


def power(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Raise to a power in the base's dtype."""
    return torch.pow(a, b).to(a.dtype)


def mean(node: Node, *inputs: Tensor) -> Tensor:
    """Average any number of tensors."""
    return reduce(torch.add, inputs) / len(inputs)


def clip(node: Node, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """Clamp between bounds that are attributes before opset 11 and inputs since."""
    if node.opset < 11:
        return torch.clamp(x, node.get("min"), node.get("max")) if {"min", "max"} & node.attributes.keys() else x
    return x if low is None and high is None else torch.clamp(x, low, high)


def cast(node: Node, x: Tensor) -> Tensor:
    """Change the dtype."""
    return _cast(x, torch_dtype(node.get("to")))


def cast_like(node: Node, x: Tensor, other: Tensor) -> Tensor:
    """Take the dtype of another tensor."""
    return _cast(x, other.dtype)


def _cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Refuse a narrower float of 8 bits: torch and ONNX differ in what does not fit."""
    if dtype.is_floating_point and dtype.itemsize == 1 and x.dtype != dtype:
        raise Refused(f"it rounds to {dtype}, where torch and ONNX differ", "Use float16 or a quantized integer.")
    return x.to(dtype)


def shifted(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Shift bits to the left or to the right."""
    wide, bits = a.to(torch.int64), b.to(torch.int64)
    shift = torch.bitwise_left_shift if node.get("direction") == "LEFT" else torch.bitwise_right_shift
    return shift(wide, bits).to(a.dtype)


def is_infinite(node: Node, x: Tensor) -> Tensor:
    """Find infinities of the signs asked for."""
    signs = [node.get("detect_negative", 1), 1, node.get("detect_positive", 1)]
    wanted = [sign for sign, asked in zip((-1, 0, 1), signs, strict=True) if not asked]
    found = torch.isinf(x)
    for sign in wanted:
        found = torch.logical_and(found, torch.ne(torch.sign(x), sign))
    return found


def selu(node: Node, x: Tensor) -> Any:
    """Scaled exponential unit (arXiv 1706.02515) with ONNX's attributes."""
    alpha, gamma = node.get("alpha", 1.67326319217681884765625), node.get("gamma", 1.05070102214813232421875)
    return gamma * torch.where(x > 0, x, alpha * torch.expm1(x))


def hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    """Clamp ``alpha x + beta`` between 0 and 1."""
    return torch.clamp(node.get("alpha", 0.2) * x + node.get("beta", 0.5), 0, 1)


def elu(node: Node, x: Tensor) -> Tensor:
    """Exponential unit."""
    return F.elu(x, node.get("alpha", 1.0))


def celu(node: Node, x: Tensor) -> Tensor:
    """Continuous exponential unit."""
    return F.celu(x, node.get("alpha", 1.0))


def leaky_relu(node: Node, x: Tensor) -> Tensor:
    """Rectifier with a slope below zero."""
    return F.leaky_relu(x, node.get("alpha", 0.01))


def thresholded_relu(node: Node, x: Tensor) -> Tensor:
    """Keep what lies above ``alpha``."""
    return torch.where(x > node.get("alpha", 1.0), x, torch.zeros_like(x))


def prelu(node: Node, x: Tensor, slope: Tensor) -> Tensor:
    """Rectifier with a trained slope below zero."""
    return torch.where(x < 0, slope * x, x)


def shrink(node: Node, x: Tensor) -> Tensor:
    """Move towards zero by ``bias`` outside of ``lambd``."""
    bound, bias = node.get("lambd", 0.5), node.get("bias", 0.0)
    return torch.where(x < -bound, x + bias, torch.where(x > bound, x - bias, torch.zeros_like(x))).to(x.dtype)


def gelu(node: Node, x: Tensor) -> Tensor:
    """Gaussian error unit, exact or by tanh."""
    return F.gelu(x, approximate=node.get("approximate", "none"))


def swish(node: Node, x: Tensor) -> Tensor:
    """``x sigmoid(alpha x)``."""
    alpha = node.get("alpha", 1.0)
    return F.silu(x) if alpha == 1.0 else x * torch.sigmoid(alpha * x)


def dropout(node: Node, x: Tensor, ratio: float | None = None, training: bool | None = None) -> tuple[Tensor, Tensor]:
    """Hand the input on, as inference does. Raises Refused for a model that drops while it answers."""
    if training and ratio != 0:
        raise Refused("it drops values at random during inference", "Export the model in inference mode.")
    return x, torch.ones_like(x, dtype=torch.bool)


ALIKE = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor", "IsNaN", "Log",
    "Neg", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Sinh", "Sqrt", "Tan", "Tanh",
)  # fmt: skip
"""Functions of one tensor that torch calls by the same name."""
TABLE = standard(
    {
        **{name: unary(getattr(torch, name.lower())) for name in ALIKE},
        **{name: unary(getattr(F, name.lower())) for name in ("HardSwish", "Mish", "Softplus", "Softsign")},
        "Identity": unary(lambda x: x),
        "BitwiseNot": unary(torch.bitwise_not),
        "Not": unary(torch.logical_not),
        "Add": binary(torch.add),
        "Sub": binary(torch.sub),
        "Mul": binary(torch.mul),
        "And": binary(torch.logical_and),
        "Or": binary(torch.logical_or),
        "Xor": binary(torch.logical_xor),
        "Equal": binary(torch.eq),
        "Less": binary(torch.lt),
        "Greater": binary(torch.gt),
        "LessOrEqual": binary(torch.le),
        "GreaterOrEqual": binary(torch.ge),
        "BitwiseAnd": binary(torch.bitwise_and),
        "BitwiseOr": binary(torch.bitwise_or),
        "BitwiseXor": binary(torch.bitwise_xor),
        "Max": folded(torch.maximum),
        "Min": folded(torch.minimum),
        "Sum": folded(torch.add),
        "Where": lambda node, condition, a, b: torch.where(condition, a, b),
        "Div": divide,
        "Mod": modulo,
        "Pow": power,
        "Mean": mean,
        "Clip": Operator(clip, frozen=(1, 2)),
        "Cast": cast,
        "CastLike": Operator(cast_like, frozen=(1,)),
        "BitShift": shifted,
        "IsInf": is_infinite,
        "Selu": selu,
        "HardSigmoid": hard_sigmoid,
        "Elu": elu,
        "Celu": celu,
        "LeakyRelu": leaky_relu,
        "ThresholdedRelu": thresholded_relu,
        "PRelu": prelu,
        "Shrink": shrink,
        "Gelu": gelu,
        "Swish": swish,
        "Dropout": Operator(dropout, static=(1, 2)),
    }
)
