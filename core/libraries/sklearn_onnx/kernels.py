"""Kernels between samples and kept points, and the features that stand in for them."""

import math

import numpy as np

from core.libraries.sklearn import Estimator
from core.libraries.sklearn_onnx.graph import FLOAT, EstimatorGraph, teach


def register() -> None:
    """Teach what is made of a kernel."""
    from sklearn import kernel_approximation, kernel_ridge, semi_supervised, svm

    teach(kernel_approximation.RBFSampler, _fourier, lambda model: int(model.random_weights_.shape[1]))
    teach(kernel_approximation.SkewedChi2Sampler, _skewed, lambda model: int(model.random_weights_.shape[1]))
    teach(kernel_approximation.AdditiveChi2Sampler, _additive, _additive_width)
    teach(kernel_approximation.Nystroem, _nystroem, lambda model: int(model.normalization_.shape[0]))
    teach(kernel_ridge.KernelRidge, _ridge)
    for machine in (svm.SVR, svm.NuSVR):
        teach(machine, _supported)
    for kind in (semi_supervised.LabelPropagation, semi_supervised.LabelSpreading):
        teach(kind, _propagated)


def kernel(
    graph: EstimatorGraph, points: np.ndarray, name: str, gamma: float | None, degree: float, coef0: float
) -> str:
    """Return a kernel [batch, points]. Raises NotImplementedError for one that is not supported here."""
    table = graph.table()
    scale = 1.0 / np.shape(points)[1] if gamma is None else float(gamma)
    if name == "rbf":
        return graph.node("Exp", graph.op("Mul", graph.squared_distances(table, points), -scale))
    products = graph.op("MatMul", table, np.asarray(points).T)
    if name == "linear":
        return products
    if name in ("poly", "polynomial"):
        return graph.op("Pow", graph.op("Add", graph.op("Mul", products, scale), coef0), degree)
    if name == "sigmoid":
        return graph.node("Tanh", graph.op("Add", graph.op("Mul", products, scale), coef0))
    raise NotImplementedError(f"the kernel {name!r} has no ONNX form here; rbf, linear, poly and sigmoid have")


def cosine(graph: EstimatorGraph, angle: str) -> str:
    """Return the cosine in float64, of an angle brought near 0 first: the operator itself computes in float32."""
    turns = graph.node("Floor", graph.op("Div", angle, 2 * math.pi))
    near = graph.node("Sub", angle, graph.op("Mul", turns, 2 * math.pi))
    return graph.cast(graph.node("Cos", graph.cast(near, FLOAT)), 11)


def _fourier(graph: EstimatorGraph) -> None:
    _waves(graph, graph.table())


def _skewed(graph: EstimatorGraph) -> None:
    _waves(graph, graph.node("Log", graph.op("Add", graph.table(), graph.model.skewedness)))


def _waves(graph: EstimatorGraph, table: str) -> None:
    model = graph.model
    angle = graph.op("Add", graph.op("MatMul", table, model.random_weights_), model.random_offset_)
    graph.give(graph.op("Mul", cosine(graph, angle), math.sqrt(2.0 / model.random_weights_.shape[1])))


def _additive_width(model: Estimator) -> int:
    return int(model.n_features_in_) * (2 * int(model.sample_steps) - 1)


def _additive(graph: EstimatorGraph) -> None:
    """Sampled features of the additive chi-squared kernel (Vedaldi and Zisserman, 2011); a zero stays zero."""
    model, table = graph.model, graph.table()
    step = model.sample_interval or {1: 0.8, 2: 0.5, 3: 0.4}[model.sample_steps]
    empty = graph.node("Equal", table, graph.constant(0.0))
    safe = graph.node("Where", empty, graph.constant(1.0), table)
    parts = [graph.node("Sqrt", graph.op("Mul", table, step))]
    logs = graph.op("Mul", graph.node("Log", safe), step)
    for number in range(1, model.sample_steps):
        factor = graph.node("Sqrt", graph.op("Mul", table, 2 * step / math.cosh(math.pi * number * step)))
        angle = graph.op("Mul", logs, float(number))
        for shift in (0.0, -math.pi / 2):
            wave = graph.node("Mul", factor, cosine(graph, graph.op("Add", angle, shift)))
            parts.append(graph.node("Where", empty, graph.constant(0.0), wave))
    graph.give(graph.node("Concat", *parts, axis=1))


def _settings(model: Estimator, name: str) -> tuple[str, float | None, float, float]:
    degree, coef0 = getattr(model, "degree", None), getattr(model, "coef0", None)
    return name, model.gamma, 3.0 if degree is None else degree, 1.0 if coef0 is None else coef0


def _nystroem(graph: EstimatorGraph) -> None:
    model = graph.model
    found = kernel(graph, model.components_, *_settings(model, model.kernel))
    graph.give(graph.op("MatMul", found, model.normalization_.T))


def _ridge(graph: EstimatorGraph) -> None:
    model = graph.model
    found = kernel(graph, model.X_fit_, *_settings(model, model.kernel))
    graph.give(graph.op("MatMul", found, np.reshape(model.dual_coef_, (len(model.X_fit_), -1))))


def _supported(graph: EstimatorGraph) -> None:
    """A support vector machine for regression: in float32, its large terms of either sign would not cancel."""
    model = graph.model
    points, weights = (
        np.asarray(getattr(v, "todense", lambda v=v: v)()) for v in (model.support_vectors_, model.dual_coef_)
    )
    found = kernel(graph, points, model.kernel, model._gamma, model.degree, model.coef0)
    graph.give(graph.op("Add", graph.op("MatMul", found, weights.T), np.asarray(model.intercept_)))


def _propagated(graph: EstimatorGraph) -> None:
    """Labels spread by the kernel's weights. Raises NotImplementedError for neighbours as the kernel."""
    model = graph.model
    if model.kernel != "rbf":
        raise NotImplementedError(f"the kernel {model.kernel!r} has no ONNX form here; rbf has")
    weights = kernel(graph, model.X_, "rbf", model.gamma, 3.0, 1.0)
    votes = graph.op("MatMul", weights, model.label_distributions_)
    graph.classes(graph.node("Div", votes, graph.sum(votes)))
