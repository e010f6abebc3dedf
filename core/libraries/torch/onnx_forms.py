"""ONNX forms of torch operators that the exporter writes so that they overflow where torch does not."""

from collections.abc import Callable
from typing import Any


def finite() -> dict[Any, Callable[..., Any]]:
    """Return the forms by torch's operator, as the exporter of programs takes them."""
    import torch

    return {torch.ops.aten.logaddexp.default: _logaddexp}


def _logaddexp(a: Any, b: Any) -> Any:
    """The larger number, and what the smaller one adds to it: no exponential of a positive number is taken."""
    from onnxscript import opset18

    one = opset18.CastLike(opset18.Constant(value_float=1.0), a)
    rest = opset18.Exp(opset18.Neg(opset18.Abs(opset18.Sub(a, b))))
    return opset18.Add(opset18.Max(a, b), opset18.Log(opset18.Add(one, rest)))
