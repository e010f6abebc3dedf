"""Estimators whose answer is one matrix product: decompositions with fixed components, projections, and cross decomposition."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from core.libraries.sklearn import Estimator
from core.libraries.sklearn_onnx.graph import EstimatorGraph, teach

Map = tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]
"""What is taken away first [columns], the matrix [columns, answers], and what is added after [answers]."""


def register() -> None:
    """Teach the linear maps."""
    from sklearn import cross_decomposition, decomposition, neural_network, random_projection

    for kind, mapped in (
        (decomposition.FastICA, _ica),
        (decomposition.FactorAnalysis, _factors),
        (decomposition.SparsePCA, _sparse),
        (decomposition.MiniBatchSparsePCA, _sparse),
        (random_projection.SparseRandomProjection, _projected),
    ):
        teach(kind, _writer(mapped), lambda model: int(model.components_.shape[0]))
    teach(cross_decomposition.PLSSVD, _writer(_singular), lambda model: int(model.x_weights_.shape[1]))
    teach(neural_network.BernoulliRBM, _hidden, lambda model: int(model.components_.shape[0]))
    for kind in (cross_decomposition.PLSRegression, cross_decomposition.PLSCanonical, cross_decomposition.CCA):
        teach(kind, _writer(_latent), lambda model: int(np.size(model.intercept_)))


def _writer(mapped: Callable[[Estimator], Map]) -> Callable[[EstimatorGraph], None]:
    def write(graph: EstimatorGraph) -> None:
        centre, matrix, shift = mapped(graph.model)
        moved = graph.op("Sub", graph.table(), centre)
        graph.give(graph.op("Add", graph.op("MatMul", moved, matrix), shift))

    return write


def _projected(model: Estimator) -> Map:
    parts = model.components_
    return 0.0, (parts.toarray() if hasattr(parts, "toarray") else parts).T, 0.0


def _ica(model: Estimator) -> Map:
    centre = model.mean_ if hasattr(model, "mean_") else 0.0
    return centre, model.components_.T, 0.0


def _factors(model: Estimator) -> Map:
    weights = model.components_ / model.noise_variance_
    inverse = np.linalg.inv(np.eye(len(model.components_)) + weights @ model.components_.T)
    return model.mean_, weights.T @ inverse, 0.0


def _sparse(model: Estimator) -> Map:
    """Ridge regression of the sample on the components is linear in the sample."""
    parts = model.components_
    square = parts @ parts.T + model.ridge_alpha * np.eye(len(parts))
    return model.mean_, np.linalg.solve(square, parts).T, 0.0


def _singular(model: Estimator) -> Map:
    return model._x_mean, model.x_weights_ / np.reshape(model._x_std, (-1, 1)), 0.0


def _latent(model: Estimator) -> Map:
    return model._x_mean, np.reshape(model.coef_, (-1, len(model._x_mean))).T, model.intercept_


def _hidden(graph: EstimatorGraph) -> None:
    """Return the probability of each hidden unit of a restricted Boltzmann machine."""
    model = graph.model
    sums = graph.op("Add", graph.op("MatMul", graph.table(), model.components_.T), model.intercept_hidden_)
    graph.give(graph.node("Sigmoid", sums))
