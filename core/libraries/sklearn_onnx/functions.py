"""FunctionTransformer with a NumPy function that has an ONNX operator."""

import math
from collections.abc import Callable

from core.libraries.sklearn_onnx.graph import EstimatorGraph, Operator, converter

FUNCTIONS: dict[str, Callable[[EstimatorGraph, str], str]] = {
    "absolute": lambda graph, x: graph.node("Abs", x),
    "cbrt": lambda graph, x: graph.node("Mul", graph.node("Sign", x), graph.op("Pow", graph.node("Abs", x), 1 / 3)),
    "ceil": lambda graph, x: graph.node("Ceil", x),
    "exp": lambda graph, x: graph.node("Exp", x),
    "exp2": lambda graph, x: graph.node("Exp", graph.op("Mul", x, math.log(2))),
    "expm1": lambda graph, x: graph.op("Sub", graph.node("Exp", x), 1.0),
    "floor": lambda graph, x: graph.node("Floor", x),
    "log": lambda graph, x: graph.node("Log", x),
    "log10": lambda graph, x: graph.op("Mul", graph.node("Log", x), 1 / math.log(10)),
    "log1p": lambda graph, x: graph.node("Log", graph.op("Add", x, 1.0)),
    "log2": lambda graph, x: graph.op("Mul", graph.node("Log", x), 1 / math.log(2)),
    "negative": lambda graph, x: graph.node("Neg", x),
    "positive": lambda graph, x: x,
    "reciprocal": lambda graph, x: graph.node("Reciprocal", x),
    "sign": lambda graph, x: graph.node("Sign", x),
    "sqrt": lambda graph, x: graph.node("Sqrt", x),
    "square": lambda graph, x: graph.node("Mul", x, x),
    "tanh": lambda graph, x: graph.node("Tanh", x),
}


def register() -> None:
    """Teach the functions, and leave the identity as it is."""
    from skl2onnx import update_registered_converter
    from sklearn.preprocessing import FunctionTransformer

    update_registered_converter(FunctionTransformer, "PortolanFunction", _shape, converter(_convert))


def _convert(graph: EstimatorGraph) -> None:
    """Write the function. Raises NotImplementedError for one that is not supported here."""
    function = graph.model.func
    name = getattr(function, "__name__", "a function")
    if function is not None and (graph.model.kw_args or not _is_numpy(function) or name not in FUNCTIONS):
        raise NotImplementedError(
            f"FunctionTransformer({name}) has no ONNX form; these NumPy functions have: {', '.join(FUNCTIONS)}"
        )
    table = graph.table()
    graph.give(table if function is None else FUNCTIONS[name](graph, table))


def _is_numpy(function: object) -> bool:
    import numpy

    return function is getattr(numpy, getattr(function, "__name__", ""), None)


def _shape(operator: Operator) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    widths = [value.type.shape[1] for value in operator.inputs]
    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = FloatTensorType([rows, None if None in widths else sum(widths)])
