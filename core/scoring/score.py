"""What a form means: its answers in NumPy, in float64, for columns of values; the reference of every other face."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from core.scoring.form import (
    BELOW,
    EQUAL,
    Apply,
    Bayes,
    Clusters,
    Const,
    Expression,
    Field,
    Forest,
    Form,
    Label,
    Lookup,
    Network,
    Ref,
    Regression,
    Step,
)

CELLS = 2_000_000
"""How many pairs of row and tree are walked at once."""


def score(form: Form, columns: dict[str, Any]) -> dict[str, Any]:
    """Return the answers by name: labels [rows] as int64 or text, numbers [rows, n] in float64.

    ``columns`` has one array [rows] per input: numbers with NaN, or texts.
    """
    values = {one.name: _column(columns[one.name], one.dtype, one.missing) for one in form.inputs}
    rows = len(next(iter(values.values())))
    with np.errstate(all="ignore"):
        for step in form.steps:
            values.update(zip(step.names, _step(step, values, rows), strict=True))
        return {output.name: _answer(output, values) for output in form.outputs}


def _column(array: Any, dtype: str, missing: tuple[str, ...]) -> Any:
    if dtype == "string":
        cells: Any = np.asarray(array).astype(object)
        gap: Any = None
        return np.where(np.isin(cells.astype(str), (*missing,)), gap, cells) if missing else cells
    return _rounded(np.asarray(array, np.float64), dtype)


def _rounded(array: Any, dtype: str) -> Any:
    return array.astype(np.float32).astype(np.float64) if dtype == "float" else array


def _answer(output: Any, values: dict[str, Any]) -> Any:
    table = np.stack([values[name] for name in output.of], axis=1)
    if not isinstance(output, Label):
        return table
    best = (table if output.pick == "largest" else -table).argmax(axis=1)
    if output.nothing is not None:
        best = np.where(np.isnan(table).any(axis=1), len(output.categories), best)
    return np.array(output.choices)[best]


def _step(step: Step, values: dict[str, Any], rows: int) -> Any:
    """Return one array [rows] per name of the step."""
    if isinstance(step, Field):
        value = np.broadcast_to(_value(step.expression, values), rows)
        return [value if step.dtype == "string" else _rounded(value.astype(np.float64), step.dtype)]
    table = np.stack([values[name] for name in step.fields], axis=1) if step.fields else np.zeros((rows, 0))
    return MODELS[type(step)](step, table).T


def _regression(model: Regression, table: Any) -> Any:
    weights = np.array(model.weights, np.float64).reshape(len(model.names), len(model.fields))
    return LINKS[model.link](table @ weights.T + np.array(model.intercepts))


def _forest(model: Forest, table: Any) -> Any:
    node = {key: np.array(getattr(model, key)) for key in ("feature", "test", "value", "yes", "no", "missing")}
    scores, roots = np.array(model.scores, np.float64), np.array(model.roots, np.int64)
    found = np.zeros((len(table), len(model.names)))
    size = max(1, CELLS // max(1, len(table)))
    for start in range(0, len(roots), size):
        found += scores[_leaves(node, roots[start : start + size], table)].sum(axis=1)
    return found / model.divisor


def _leaves(node: dict[str, Any], roots: Any, table: Any) -> Any:
    """Return the row of scores that each row of the table reaches in each tree: [rows, trees]."""
    here = np.broadcast_to(roots, (len(table), len(roots))).copy()
    rows = np.arange(len(table))[:, None]
    for _ in range(len(node["feature"])):
        feature = node["feature"][here]
        if (feature < 0).all():
            break
        x, bound, test = table[rows, feature], node["value"][here], node["test"][here]
        holds = np.where(test == BELOW, x < bound, np.where(test == EQUAL, x == bound, x <= bound))
        step = np.where(np.isnan(x), node["missing"][here], np.where(holds, node["yes"][here], node["no"][here]))
        here = np.where(feature < 0, here, step)
    return node["yes"][here]


def _clusters(model: Clusters, table: Any) -> Any:
    squares = np.stack([((table - np.array(center)) ** 2).sum(axis=1) for center in model.centers], axis=1)
    return np.sqrt(squares) if model.measure == "euclidean" else squares


def _bayes(model: Bayes, table: Any) -> Any:
    """Add the logarithms of the densities, and take the shares of their exponentials."""
    parts = []
    for prior, means, variances in zip(model.priors, model.means, model.variances, strict=True):
        spread = np.array(variances)
        density = -0.5 * (np.log(2 * np.pi * spread) + (table - np.array(means)) ** 2 / spread)
        density = np.where(np.isnan(table), 0.0, np.maximum(density, np.log(model.threshold)))
        parts.append(np.log(prior) + density.sum(axis=1))
    return _softmax(np.stack(parts, axis=1))


def _network(model: Network, table: Any) -> Any:
    for layer in model.layers:
        table = ACTIVATIONS[layer.activation](table @ np.array(layer.weights).T + np.array(layer.biases))
    return LINKS[model.link](table)


def _softmax(table: Any) -> Any:
    shares = np.exp(table - table.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def _simplemax(table: Any) -> Any:
    """Return the shares of each row; equal shares where the row adds up to nothing."""
    whole = table.sum(axis=1, keepdims=True)
    return np.where(whole == 0, 1 / table.shape[1], table / whole)


def _logistic(table: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-table))


def _value(expression: Expression, values: dict[str, Any]) -> Any:
    if isinstance(expression, Ref):
        return values[expression.name]
    if isinstance(expression, Const):
        return np.asarray(expression.value, object if isinstance(expression.value, str) else np.float64)
    if isinstance(expression, Lookup):
        return _looked_up(expression, values[expression.name])
    return _applied(expression, values)


def _looked_up(table: Lookup, keys: Any) -> Any:
    is_text = isinstance(table.default, str)
    known = dict(zip(table.keys, table.values, strict=True))
    gap = None if is_text else np.nan
    gone = _is_missing(keys)
    cells = [gap if lost else known.get(key, table.default) for key, lost in zip(keys.tolist(), gone, strict=True)]
    return np.array(cells, object if is_text else np.float64)


def _is_missing(value: Any) -> Any:
    gap: Any = None
    return np.equal(value, gap) if value.dtype == object else np.isnan(value)


def _applied(call: Apply, values: dict[str, Any]) -> Any:
    arguments = [_value(argument, values) for argument in call.arguments]
    if call.function in ("isMissing", "isNotMissing"):
        return (_is_missing(arguments[0]) == (call.function == "isMissing")).astype(np.float64)
    if call.function == "if":
        return _chosen(*arguments)
    if call.function in TRUTHS:
        gone = reduce(np.logical_or, [_is_missing(argument) for argument in arguments])
        return np.where(gone, np.nan, TRUTHS[call.function](*arguments))
    return NUMBERS[call.function](*arguments)


def _chosen(condition: Any, yes: Any, no: Any = None) -> Any:
    """Choose by a truth; without one, and without a second choice, the answer is missing."""
    is_text = yes.dtype == object
    gap = np.asarray(None if is_text else np.nan, yes.dtype)
    chosen = np.where(condition == 1, yes, gap if no is None else no)
    return np.where(np.isnan(condition), gap, chosen)


def _is_in(value: Any, *others: Any) -> Any:
    return reduce(np.logical_or, [np.equal(value, other) for other in others])


def _sum(*parts: Any) -> Any:
    """Add what is not missing, as PMML does; missing when everything is."""
    gone = reduce(np.logical_and, [np.isnan(part) for part in parts])
    return np.where(gone, np.nan, sum(np.nan_to_num(part, nan=0.0, posinf=np.inf, neginf=-np.inf) for part in parts))


NUMBERS: dict[str, Callable[..., Any]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "sqrt": np.sqrt, "abs": np.abs, "exp": np.exp,
    "ln": np.log, "ln1p": np.log1p, "expm1": np.expm1, "floor": np.floor, "tanh": np.tanh, "pow": np.power, "sum": _sum,
    "min": lambda *parts: reduce(np.fmin, parts), "max": lambda *parts: reduce(np.fmax, parts),
}  # fmt: skip
TRUTHS: dict[str, Callable[..., Any]] = {
    "equal": np.equal, "notEqual": np.not_equal, "lessThan": np.less, "lessOrEqual": np.less_equal,
    "greaterThan": np.greater, "greaterOrEqual": np.greater_equal, "isIn": _is_in,
    "isNotIn": lambda *parts: ~_is_in(*parts), "not": lambda part: part == 0,
    "and": lambda *parts: reduce(np.logical_and, [part == 1 for part in parts]),
    "or": lambda *parts: reduce(np.logical_or, [part == 1 for part in parts]),
}  # fmt: skip
LINKS: dict[str, Callable[..., Any]] = {
    "none": lambda table: table, "logit": _logistic, "exp": np.exp, "softmax": _softmax,
    "simplemax": _simplemax,
}  # fmt: skip
ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "identity": lambda table: table, "logistic": _logistic, "tanh": np.tanh,
    "rectifier": lambda table: np.where(table < 0, 0.0, table),
}  # fmt: skip
MODELS: dict[type, Callable[..., Any]] = {
    Regression: _regression, Forest: _forest, Clusters: _clusters, Bayes: _bayes, Network: _network,
}  # fmt: skip
