"""Clusters by their nearest centre, with distances as they are."""

import numpy as np

from core.libraries.sklearn import Estimator
from core.libraries.sklearn_onnx.graph import INT64, EstimatorGraph, Operator, Scope, converter


def register() -> None:
    """Teach the clusterings that have centres."""
    from skl2onnx import update_registered_converter
    from sklearn.cluster import AffinityPropagation, KMeans, MeanShift, MiniBatchKMeans

    for kind in (KMeans, MiniBatchKMeans):
        update_registered_converter(kind, f"Portolan{kind.__name__}", _shapes, converter(_means))
    for single in (AffinityPropagation, MeanShift):
        update_registered_converter(
            single, f"Portolan{single.__name__}", _label_shape, converter(_single), parser=_label_parser
        )


def _means(graph: EstimatorGraph) -> None:
    """Compare distances without the square of the sample, as k-means does: far away it is so large that differences are lost in it."""
    table, centres = graph.table(), np.asarray(graph.model.cluster_centers_, np.float64)
    nearness = graph.op("Add", graph.products(table, centres), (centres**2).sum(axis=1)[None])
    graph.give(graph.first(nearness), 0, INT64)
    graph.give(graph.node("Sqrt", graph.squared_distances(table, centres)), 1)


def _single(graph: EstimatorGraph) -> None:
    graph.give(graph.first(graph.expanded(graph.table(), graph.model.cluster_centers_)), 0, INT64)


def _shapes(operator: Operator) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    _label_shape(operator)
    rows = operator.inputs[0].get_first_dimension()
    count = len(operator.raw_operator.cluster_centers_)
    operator.outputs[1].type = FloatTensorType([rows, count])


def _label_shape(operator: Operator) -> None:
    from skl2onnx.common.data_types import Int64TensorType

    operator.outputs[0].type = Int64TensorType([operator.inputs[0].get_first_dimension()])


def _label_parser(scope: Scope, model: Estimator, inputs: list[object], custom_parsers: object = None) -> object:
    from skl2onnx._supported_operators import _get_sklearn_operator_name
    from skl2onnx.common.data_types import Int64TensorType

    made = scope.declare_local_operator(_get_sklearn_operator_name(type(model)), model)
    made.inputs = inputs
    made.outputs.append(scope.declare_local_variable("label", Int64TensorType()))
    return made.outputs
