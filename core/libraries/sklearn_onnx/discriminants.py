"""Classifiers with one score per class from means and spreads, naive Bayes among them, and those that answer the same to everything."""

import numpy as np

from core.libraries.sklearn_onnx.graph import INT64, EstimatorGraph, teach


def register() -> None:
    """Teach linear and quadratic discriminants, Gaussian naive Bayes, nearest centroids and the dummies."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import NearestCentroid

    teach(LinearDiscriminantAnalysis, _linear)
    teach(QuadraticDiscriminantAnalysis, _quadratic)
    teach(GaussianNB, _bayes)
    teach(NearestCentroid, _centroids)
    teach(DummyClassifier, _same_class)
    teach(DummyRegressor, _same_number, lambda model: int(np.size(model.constant_)))


def _linear(graph: EstimatorGraph) -> None:
    """One score per class; of two classes one score, of which skl2onnx 1.20 takes the double."""
    model = graph.model
    scores = graph.op("Add", graph.op("MatMul", graph.table(), np.asarray(model.coef_).T), model.intercept_)
    if len(model.classes_) > 2:
        graph.label(graph.node("ArgMax", scores, axis=1, keepdims=0))
        graph.give(graph.node("Softmax", scores, axis=1), 1)
    else:
        both = graph.node("Concat", graph.node("Neg", scores), scores, axis=1)
        graph.label(graph.node("ArgMax", both, axis=1, keepdims=0))
        graph.give(graph.node("Sigmoid", both), 1)


def _quadratic(graph: EstimatorGraph) -> None:
    """Gaussian classes (Hastie et al., The Elements of Statistical Learning, 4.3)."""
    model, table = graph.model, graph.table()
    parts = zip(model.means_, model.rotations_, model.scalings_, model.priors_, strict=True)
    _gaussians(
        graph, [(_norm(graph, table, mean, turn * s**-0.5), np.log(s).sum(), prior) for mean, turn, s, prior in parts]
    )


def _bayes(graph: EstimatorGraph) -> None:
    """Gaussian classes whose columns have nothing to do with each other; in float32, their large squares would not cancel."""
    model, table = graph.model, graph.table()
    apart = [
        graph.op("Div", graph.op("Sub", table, mean), np.sqrt(spread))
        for mean, spread in zip(model.theta_, model.var_, strict=True)
    ]
    squares = [graph.sum(graph.node("Mul", one, one)) for one in apart]
    _gaussians(graph, list(zip(squares, np.log(model.var_).sum(axis=1), model.class_prior_, strict=True)))


def _gaussians(graph: EstimatorGraph, classes: list[tuple[str, float, float]]) -> None:
    """Hand on classes by squared distance, logarithm of the spread and prior of each."""
    scores = [
        graph.op("Mul", graph.op("Add", squares, log_spread - 2 * np.log(prior)), -0.5)
        for squares, log_spread, prior in classes
    ]
    graph.classes(graph.node("Softmax", graph.node("Concat", *scores, axis=1), axis=1))


def _norm(graph: EstimatorGraph, table: str, mean: np.ndarray, matrix: np.ndarray) -> str:
    turned = graph.op("MatMul", graph.op("Sub", table, mean), matrix)
    return graph.sum(graph.node("Mul", turned, turned))


def _centroids(graph: EstimatorGraph) -> None:
    """Nearest centroid by the spread within classes; with equal priors, scikit-learn 1.9 chooses the class without the spread. Raises NotImplementedError for another distance."""
    model = graph.model
    if model.metric != "euclidean":
        raise NotImplementedError(f"the distance {model.metric!r} has no ONNX form here; euclidean has")
    spread = np.where(model.within_class_std_dev_ != 0, model.within_class_std_dev_, 1.0)
    table, priors = graph.table(), model.class_prior_
    squares = graph.expanded(graph.op("Div", table, spread), model.centroids_ / spread)
    scores = graph.node("Sub", graph.constant([2 * np.log(priors)]), squares)
    if np.isclose(priors, 1 / len(priors)).all():
        graph.label(graph.first(graph.expanded(table, model.centroids_)))
    else:
        graph.label(graph.node("ArgMax", scores, axis=1, keepdims=0))
    graph.give(graph.node("Softmax", scores, axis=1), 1)


def _same_class(graph: EstimatorGraph) -> None:
    """Answer the prior or one class. Raises NotImplementedError where the answer is drawn at random."""
    model = graph.model
    if model.strategy in ("stratified", "uniform"):
        raise NotImplementedError(f"strategy={model.strategy!r} answers at random")
    probabilities = model.predict_proba(np.zeros((1, 1)))
    chosen = int(np.flatnonzero(model.classes_ == model.predict(np.zeros((1, 1)))[0])[0])
    nothing = graph.op("Mul", _zeros(graph), 0.0)
    graph.label(
        graph.op(
            "Add",
            graph.node("Reshape", graph.cast(nothing, INT64), graph.constant([-1], INT64)),
            graph.constant(chosen, INT64),
        )
    )
    graph.give(graph.op("Add", nothing, probabilities), 1)


def _same_number(graph: EstimatorGraph) -> None:
    graph.give(graph.op("Add", _zeros(graph), graph.model.constant_.reshape(1, -1)))


def _zeros(graph: EstimatorGraph) -> str:
    """Return one zero per sample [batch, 1], whatever the sample holds."""
    # NaN times zero is NaN; whether a number is NaN is never NaN itself.
    ones = graph.cast(graph.node("IsNaN", graph.gather(graph.table(), [0])), 11)
    return graph.op("Mul", ones, 0.0)
