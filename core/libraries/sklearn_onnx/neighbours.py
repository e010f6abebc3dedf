"""Nearest neighbours as skl2onnx writes them, with distances in float64, in float32 those of samples far away are all alike, and weighed by them as scikit-learn does."""

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.libraries.sklearn_onnx.graph import EstimatorGraph, Operator, Scope

if TYPE_CHECKING:
    from skl2onnx.common._container import ModelComponentContainer

FAR = 1e300
"""The distance of all others where a kept sample is met exactly, so that they weigh nothing."""
Convert = Callable[[Scope, Any, "ModelComponentContainer"], None]


def register() -> None:
    """Teach neighbours that vote and those that are averaged."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common import shape_calculator
    from skl2onnx.operator_converters import nearest_neighbours as theirs
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    _weighed()
    update_registered_converter(
        KNeighborsRegressor,
        "PortolanKNeighborsRegressor",
        _one_column_a_target,
        _in_float64(theirs.convert_nearest_neighbors_regressor),
        options={"optim": [None, "cdist"]},
    )
    update_registered_converter(
        KNeighborsClassifier,
        "PortolanKNeighborsClassifier",
        shape_calculator.calculate_linear_classifier_output_shapes,
        _in_float64(theirs.convert_nearest_neighbors_classifier),
        options={"zipmap": [True, False, "columns"], "nocl": [True, False], "raw_scores": [True, False], "output_class_labels": [False, True], "optim": [None, "cdist"]},
    )  # fmt: skip


def _one_column_a_target(operator: Operator) -> None:
    """Declare the answers [samples, targets]; skl2onnx counts targets by ``coef_``, which neighbours do not have."""
    from skl2onnx.common import shape_calculator

    shape_calculator.calculate_linear_regressor_output_shapes(operator)
    targets = np.asarray(operator.raw_operator._y)
    operator.outputs[0].type.shape = [operator.outputs[0].type.shape[0], targets.shape[1] if targets.ndim > 1 else 1]


@cache
def _weighed() -> None:
    """Have skl2onnx 1.20 use distances as they are: it takes them from TopK with the sign turned, so that all neighbours weigh the same."""
    from skl2onnx.algebra.onnx_ops import OnnxCast, OnnxEqual, OnnxMul, OnnxReduceMax, OnnxWhere
    from skl2onnx.operator_converters import nearest_neighbours as theirs

    nearest = theirs.onnx_nearest_neighbors_indices_k

    def found(*args: Any, **given: Any) -> Any:
        if not given.get("keep_distances"):
            return nearest(*args, **given)
        places, turned = nearest(*args, **given)
        version, kind = given["op_version"], given["dtype"]
        distances = OnnxMul(turned, np.array([-1], kind), op_version=version)
        zero = OnnxEqual(distances, np.array([0], kind), op_version=version)
        met = OnnxReduceMax(OnnxCast(zero, to=6, op_version=version), np.array([1], np.int64), op_version=version)
        alone = OnnxWhere(zero, np.array([1], kind), np.array([FAR], kind), op_version=version)
        met_exactly = OnnxCast(met, to=9, op_version=version)
        return places, OnnxWhere(met_exactly, alone, distances, op_version=version)

    theirs.onnx_nearest_neighbors_indices_k = found
    theirs.OnnxIsNaN = None  # it puts zeros of float32 in the place of NaN, which does not go with float64


def _in_float64(theirs: Convert) -> Convert:
    """Return a converter that hands float64 in, and float32 out again."""

    def convert(scope: Scope, operator: Operator, container: "ModelComponentContainer") -> None:
        from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

        graph = EstimatorGraph(scope, operator, container)
        columns = int(operator.raw_operator.n_features_in_)
        wide = scope.declare_local_variable("wide", DoubleTensorType([None, columns]))
        graph.node("Identity", graph.table(), out=wide.full_name)
        outside = list(operator.outputs)
        inside = [scope.declare_local_variable("far", _wider(one.type)) for one in outside]
        theirs(scope, SimpleNamespace(inputs=[wide], outputs=inside, raw_operator=operator.raw_operator), container)
        for place, (one, other) in enumerate(zip(outside, inside, strict=True)):
            if isinstance(one.type, FloatTensorType):
                graph.give(other.full_name, place)
            else:
                graph.node("Identity", other.full_name, out=one.full_name)

    return convert


def _wider(kind: Any) -> Any:
    """Return float64 of the same shape in place of float32."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return DoubleTensorType(kind.shape) if isinstance(kind, FloatTensorType) else kind
