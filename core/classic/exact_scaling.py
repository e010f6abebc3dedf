"""Scalers in ONNX that round once, as scikit-learn does: computed in float64, handed on in float32.

The operator that skl2onnx writes computes in float32 with the reciprocal of the scale. Behind it, a tree whose
threshold is itself a scaled value sends samples the other way.
"""

from typing import Any

import numpy as np


def register() -> None:
    """Replace skl2onnx's converters of the scalers that work column by column."""
    from skl2onnx import update_registered_converter
    from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

    for kind, alias in (
        (StandardScaler, "SklearnScaler"),
        (MinMaxScaler, "SklearnMinMaxScaler"),
        (RobustScaler, "SklearnRobustScaler"),
    ):
        update_registered_converter(kind, "Exact" + alias, _shape, _convert)


def steps(scaler: Any) -> list[tuple[str, Any]]:
    """Return the scaler's arithmetic as ONNX operators with their float64 operand, in its own order."""
    if hasattr(scaler, "data_min_"):
        found = [("Mul", scaler.scale_), ("Add", scaler.min_)]
        return [*found, ("Clip", scaler.feature_range)] if scaler.clip else found
    centre = scaler.center_ if hasattr(scaler, "center_") else (scaler.mean_ if scaler.with_mean else None)
    return [(kind, operand) for kind, operand in (("Sub", centre), ("Div", scaler.scale_)) if operand is not None]


def _shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = FloatTensorType([rows, operator.raw_operator.n_features_in_])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    from onnx import TensorProto

    name = _join(scope, operator, container)
    name = _node(scope, container, "Cast", [name], to=TensorProto.DOUBLE)
    for kind, operand in steps(operator.raw_operator):
        operands = [_constant(scope, container, part) for part in (operand if kind == "Clip" else [operand])]
        name = _node(scope, container, kind, [name, *operands])
    container.add_node(
        "Cast",
        [name],
        operator.outputs[0].full_name,
        op_version=13,
        name=scope.get_unique_operator_name("Cast"),
        to=TensorProto.FLOAT,
    )


def _join(scope: Any, operator: Any, container: Any) -> str:
    names = [value.full_name for value in operator.inputs]
    return names[0] if len(names) == 1 else _node(scope, container, "Concat", names, axis=1)


def _node(scope: Any, container: Any, kind: str, names: list[str], **attributes: Any) -> str:
    out = str(scope.get_unique_variable_name(kind.lower()))
    container.add_node(kind, names, out, op_version=13, name=scope.get_unique_operator_name(kind), **attributes)
    return out


def _constant(scope: Any, container: Any, value: Any) -> str:
    from onnx import TensorProto

    array, name = np.asarray(value, np.float64), str(scope.get_unique_variable_name("learned"))
    container.add_initializer(name, TensorProto.DOUBLE, list(array.shape), array.ravel().tolist())
    return name
