"""The five kinds of model as ONNX operators in float64: from a table of fields [batch, fields] to numbers [batch, numbers]."""

from collections.abc import Callable
from typing import Any

import numpy as np

from core.scoring.form import Bayes, Clusters, Matrix, Model, Network, Regression, TreeModel
from core.scoring.onnx_graph import Graph
from core.scoring.onnx_trees import summed


def numbers(graph: Graph, model: Model) -> str:
    """Return the numbers of a model: [batch, numbers]. Raises Refused for trees that share too many parts."""
    return MODELS[type(model)](graph, model)


def _line(graph: Graph, table: str, weights: Matrix, offsets: Any) -> str:
    product = graph.add("MatMul", table, graph.constant(np.array(weights, np.float64).T))
    return graph.add("Add", product, graph.constant([offsets]))


def _regression(graph: Graph, model: Regression) -> str:
    if not model.fields:
        return LINKS[model.link](graph, graph.add("Add", graph.nothing(), graph.constant([model.intercepts])))
    return LINKS[model.link](graph, _line(graph, graph.table(model.fields), model.weights, model.intercepts))


def _clusters(graph: Graph, model: Clusters) -> str:
    apart = graph.add("Sub", graph.spread(graph.table(model.fields), 1), graph.constant([model.centers]))
    squares = graph.sum(graph.add("Mul", apart, apart), 2)
    return graph.add("Sqrt", squares) if model.measure == "euclidean" else squares


def _bayes(graph: Graph, model: Bayes) -> str:
    """Add the logarithms of the densities, and take the shares of their exponentials."""
    with np.errstate(divide="ignore"):
        heights = -0.5 * np.log(2 * np.pi * np.array(model.variances))
        lowest, priors = np.log(model.threshold), np.log(model.priors)
    table = graph.spread(graph.table(model.fields), 1)
    apart = graph.add("Sub", table, graph.constant([model.means]))
    far = graph.add("Div", graph.add("Mul", apart, apart), graph.constant([np.array(model.variances) * -2]))
    density = graph.add("Max", graph.add("Add", far, graph.constant([heights])), graph.constant(lowest))
    known = graph.add("Where", graph.add("IsNaN", table), graph.constant(0.0), density)
    return _softmax(graph, graph.add("Add", graph.sum(known, 2), graph.constant([priors])))


def _network(graph: Graph, model: Network) -> str:
    table = graph.table(model.fields)
    for layer in model.layers:
        table = ACTIVATIONS[layer.activation](graph, _line(graph, table, layer.weights, layer.biases))
    return LINKS[model.link](graph, table)


def _identity(graph: Graph, table: str) -> str:
    return table


def _logistic(graph: Graph, table: str) -> str:
    below = graph.add("Add", graph.add("Exp", graph.add("Neg", table)), graph.constant(1.0))
    return graph.add("Div", graph.constant(1.0), below)


def _softmax(graph: Graph, table: str) -> str:
    return graph.add("Softmax", table, axis=1)


def _simplemax(graph: Graph, table: str) -> str:
    """Return the shares of each row; equal shares where the row adds up to nothing."""
    whole = graph.spread(graph.sum(table, 1), 1)
    nothing = graph.add("Equal", whole, graph.constant(0.0))
    equal = graph.add("Div", graph.constant(1.0), graph.add("CastLike", _width(graph, table), whole))
    return graph.add("Where", nothing, equal, graph.add("Div", table, whole))


def _width(graph: Graph, table: str) -> str:
    return graph.add("Shape", table, start=1, end=2)


LINKS: dict[str, Callable[[Graph, str], str]] = {
    "none": _identity, "logit": _logistic, "exp": lambda graph, table: graph.add("Exp", table), "softmax": _softmax,
    "simplemax": _simplemax,
}  # fmt: skip
ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "identity": _identity, "logistic": _logistic, "tanh": lambda graph, table: graph.add("Tanh", table),
    "rectifier": lambda graph, table: graph.add("Where", graph.add("Less", table, graph.constant(0.0)), graph.constant(0.0), table),
}  # fmt: skip
MODELS: dict[type, Callable[[Graph, Any], str]] = {
    Regression: _regression, TreeModel: summed, Clusters: _clusters, Bayes: _bayes, Network: _network,
}  # fmt: skip
