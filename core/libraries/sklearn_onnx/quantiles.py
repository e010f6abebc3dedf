"""Transforms by interpolation between learned quantiles: compared in float64 with the numbers that were learned."""

import numpy as np

from core.libraries.sklearn_onnx.graph import INT64, EstimatorGraph, teach


def register() -> None:
    """Teach quantiles."""
    from sklearn.preprocessing import QuantileTransformer

    teach(QuantileTransformer, _quantiles, lambda model: int(model.n_features_in_))


def _quantiles(graph: EstimatorGraph) -> None:
    """Interpolate upwards and downwards and take the mean, so that equal quantiles give the middle of their step.

    Raises NotImplementedError for normal output: ONNX has no inverse of the normal distribution.
    """
    model, table = graph.model, graph.table()
    if model.output_distribution != "uniform":
        raise NotImplementedError("output_distribution='normal' has no ONNX form; uniform has")
    columns = [_column(graph, table, place) for place in range(model.n_features_in_)]
    graph.give(graph.node("Concat", *columns, axis=1))


def _column(graph: EstimatorGraph, table: str, place: int) -> str:
    model = graph.model
    values = graph.gather(table, [place])
    learned = model.quantiles_[:, place]
    up = _interpolated(graph, values, learned, model.references_)
    down = _interpolated(graph, graph.node("Neg", values), -learned[::-1], -model.references_[::-1])
    middle = graph.op("Mul", graph.node("Sub", up, down), 0.5)
    top = graph.node("Equal", values, graph.constant(learned[-1]))
    bottom = graph.node("Equal", values, graph.constant(learned[0]))
    high = graph.node("Where", top, graph.constant(1.0), middle)
    low = graph.node("Where", bottom, graph.constant(0.0), high)
    return graph.node("Where", graph.node("IsNaN", values), values, low)


def _interpolated(graph: EstimatorGraph, values: str, xs: np.ndarray, ys: np.ndarray) -> str:
    """Return ``numpy.interp`` of a column [batch, 1]."""
    above = graph.cast(graph.node("GreaterOrEqual", values, graph.constant([xs])), INT64)
    count = graph.sum(above)
    last = graph.constant(len(xs) - 2, INT64)
    start = graph.node(
        "Min", graph.node("Max", graph.node("Sub", count, graph.constant(1, INT64)), graph.constant(0, INT64)), last
    )
    widths = np.diff(xs)
    slopes = np.where(widths > 0, np.diff(ys) / np.where(widths > 0, widths, 1), 0.0)
    left, base, slope = (
        graph.node("Gather", graph.constant(part), start, axis=0) for part in (xs[:-1], ys[:-1], slopes)
    )
    line = graph.node("Add", base, graph.node("Mul", slope, graph.node("Sub", values, left)))
    full = graph.node("GreaterOrEqual", count, graph.constant(len(xs), INT64))
    empty = graph.node("Equal", count, graph.constant(0, INT64))
    inside = graph.node("Where", full, graph.constant(ys[-1]), line)
    return graph.node("Where", empty, graph.constant(ys[0]), inside)
