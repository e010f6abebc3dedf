"""Transformers that have a form: skl2onnx takes over the operators of the form, in float64 and in scikit-learn's order.

The scalers that skl2onnx writes multiply in float32 by the reciprocal of the scale. Behind them, a tree whose threshold
is itself a scaled value sends samples the other way.
"""

from core.libraries.fitted.columns import transformed
from core.libraries.sklearn import Estimator
from core.libraries.sklearn_onnx.graph import EstimatorGraph, teach
from core.scoring import onnx_graph, onnx_model
from core.scoring.builder import Builder
from core.scoring.form import Form, Input


def register() -> None:
    """Teach scalers, norms, powers and bins."""
    from sklearn.preprocessing import (
        KBinsDiscretizer,
        MinMaxScaler,
        Normalizer,
        PowerTransformer,
        RobustScaler,
        StandardScaler,
    )

    for kind in (StandardScaler, MinMaxScaler, RobustScaler, Normalizer, PowerTransformer):
        teach(kind, formed, lambda model: int(model.n_features_in_))
    teach(KBinsDiscretizer, formed, _bins)


def _bins(model: Estimator) -> int:
    return int(model.n_features_in_) if model.encode == "ordinal" else int(sum(model.n_bins_))


def formed(graph: EstimatorGraph) -> None:
    """Write the steps of the transformer's form between its table and its answer."""
    inputs = tuple(Input(f"x{place}", "double") for place in range(graph.model.n_features_in_))
    names, table = tuple(one.name for one in inputs), graph.table()
    build, inner = Builder(inputs), onnx_graph.Graph([table])
    columns = transformed(graph.model, list(names), build)
    inner.place(names, table)
    onnx_model.steps(inner, Form(inputs, tuple(build.steps), ()))
    found = inner.table(tuple(columns))
    graph.give(graph.taken_over(inner.nodes, inner.constants.values(), {table: table})[found])
