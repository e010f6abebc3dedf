"""ONNX forms of torch operators that the exporter writes so that they overflow, or lose digits, where torch does not."""

from collections.abc import Callable
from typing import Any


def exact() -> dict[Any, Callable[..., Any]]:
    """Return the forms by torch's operator, as the exporter of programs takes them."""
    import torch

    return {torch.ops.aten.logaddexp.default: _logaddexp, torch.ops.aten.scalar_tensor.default: _scalar_tensor}


def _logaddexp(a: Any, b: Any) -> Any:
    """The larger number, and what the smaller one adds to it: no exponential of a positive number is taken."""
    from onnxscript import opset18

    one = opset18.CastLike(opset18.Constant(value_float=1.0), a)
    rest = opset18.Exp(opset18.Neg(opset18.Abs(opset18.Sub(a, b))))
    return opset18.Add(opset18.Max(a, b), opset18.Log(opset18.Add(one, rest)))


def _scalar_tensor(s: Any, dtype: int = -1, layout: str = "", device: str = "", pin_memory: bool = False) -> Any:
    """A number of Python in float64 as it is; by way of float32, as the exporter takes it, its last digits are lost."""
    import onnx
    from onnxscript import opset18
    from onnxscript.function_libs.torch_lib.ops import common

    if not isinstance(s, float) or dtype != onnx.TensorProto.DOUBLE:
        return common.cast_to(s, onnx.TensorProto.FLOAT if dtype == -1 else dtype)
    return opset18.Constant(value=onnx.helper.make_tensor("", dtype, [], [s]))
