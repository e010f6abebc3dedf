"""TF-IDF weights of words from counts, in float64."""

from core.libraries.sklearn_onnx.graph import EstimatorGraph, teach


def register() -> None:
    """Teach the weighting that stands alone; the one inside a vectorizer is skl2onnx's own."""
    from sklearn.feature_extraction.text import TfidfTransformer

    teach(TfidfTransformer, _weighted, lambda model: len(model.idf_) if model.use_idf else int(model.n_features_in_))


def _weighted(graph: EstimatorGraph) -> None:
    model, counts = graph.model, graph.table()
    empty = graph.node("Equal", counts, graph.constant(0.0))
    if model.sublinear_tf:
        safe = graph.node("Where", empty, graph.constant(1.0), counts)
        counts = graph.node("Where", empty, counts, graph.op("Add", graph.node("Log", safe), 1.0))
    weighted = graph.op("Mul", counts, model.idf_) if model.use_idf else counts
    graph.give(_scaled(graph, weighted))


def _scaled(graph: EstimatorGraph, values: str) -> str:
    """Divide by the length of each row, and leave a row of zeros."""
    norm = graph.model.norm
    if norm is None:
        return values
    size = graph.node("Abs", values) if norm == "l1" else graph.node("Mul", values, values)
    total = graph.sum(size) if norm == "l1" else graph.node("Sqrt", graph.sum(size))
    none = graph.node("Equal", total, graph.constant(0.0))
    return graph.node("Div", values, graph.node("Where", none, graph.constant(1.0), total))
