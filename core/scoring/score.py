"""What a form means: its answers in NumPy, in float64, for columns of values; the reference of every other face."""

from collections.abc import Callable, Sequence
from functools import reduce

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
    Form,
    Label,
    Lookup,
    Network,
    Numbers,
    Ref,
    Regression,
    Step,
    TreeModel,
)

CELLS = 2_000_000
"""How many pairs of row and tree are walked at once."""


def score(form: Form, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the answers by name: labels [rows] as int64 or text, numbers [rows, n] in float64.

    ``columns`` has one array [rows] per input: numbers with NaN, or texts.
    """
    values = {one.name: _column(columns[one.name], one.dtype, one.missing) for one in form.inputs}
    rows = len(next(iter(values.values())))
    with np.errstate(all="ignore"):
        for step in form.steps:
            values.update(zip(step.names, _step(step, values, rows), strict=True))
        return {output.name: _answer(output, values) for output in form.outputs}


def _column(array: np.ndarray, dtype: str, missing: tuple[str, ...]) -> np.ndarray:
    if dtype == "string":
        cells = np.asarray(array).astype(object)
        return np.where(np.isin(cells.astype(str), (*missing,)), np.array(None), cells) if missing else cells
    return _rounded(np.asarray(array, np.float64), dtype)


def _rounded(array: np.ndarray, dtype: str) -> np.ndarray:
    return array.astype(np.float32).astype(np.float64) if dtype == "float" else array


def _answer(output: Label | Numbers, values: dict[str, np.ndarray]) -> np.ndarray:
    table = np.stack([values[name] for name in output.of], axis=1)
    if not isinstance(output, Label):
        return table
    best: np.ndarray = (table if output.pick == "largest" else -table).argmax(axis=1)
    if output.nothing is not None:
        best = np.where(np.isnan(table).any(axis=1), len(output.categories), best)
    return np.array(output.choices).take(best)


def _step(step: Step, values: dict[str, np.ndarray], rows: int) -> Sequence[np.ndarray] | np.ndarray:
    """Return one array [rows] per name of the step."""
    if isinstance(step, Field):
        value = np.broadcast_to(_value(step.expression, values), rows)
        return [value if step.dtype == "string" else _rounded(value.astype(np.float64), step.dtype)]
    table = np.stack([values[name] for name in step.fields], axis=1) if step.fields else np.zeros((rows, 0))
    return MODELS[type(step)](step, table).T


def _regression(model: Regression, table: np.ndarray) -> np.ndarray:
    weights = np.array(model.weights, np.float64).reshape(len(model.names), len(model.fields))
    return LINKS[model.link](table @ weights.T + np.array(model.intercepts))


def _forest(model: TreeModel, table: np.ndarray) -> np.ndarray:
    node = {key: np.array(getattr(model, key)) for key in ("feature", "test", "value", "yes", "no", "missing")}
    scores, roots = np.array(model.scores, np.float64), np.array(model.roots, np.int64)
    found = np.zeros((len(table), len(model.names)))
    size = max(1, CELLS // max(1, len(table)))
    for start in range(0, len(roots), size):
        found += scores[_leaves(node, roots[start : start + size], table)].sum(axis=1)
    return found / model.divisor


def _leaves(node: dict[str, np.ndarray], roots: np.ndarray, table: np.ndarray) -> np.ndarray:
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
    return node["yes"].take(here)


def _clusters(model: Clusters, table: np.ndarray) -> np.ndarray:
    squares = np.stack([((table - np.array(center)) ** 2).sum(axis=1) for center in model.centers], axis=1)
    return np.sqrt(squares) if model.measure == "euclidean" else squares


def _bayes(model: Bayes, table: np.ndarray) -> np.ndarray:
    """Add the logarithms of the densities, and take the shares of their exponentials."""
    parts = []
    for prior, means, variances in zip(model.priors, model.means, model.variances, strict=True):
        spread = np.array(variances)
        density = -0.5 * (np.log(2 * np.pi * spread) + (table - np.array(means)) ** 2 / spread)
        density = np.where(np.isnan(table), 0.0, np.maximum(density, np.log(model.threshold)))
        parts.append(np.log(prior) + density.sum(axis=1))
    return _softmax(np.stack(parts, axis=1))


def _network(model: Network, table: np.ndarray) -> np.ndarray:
    for layer in model.layers:
        table = ACTIVATIONS[layer.activation](table @ np.array(layer.weights).T + np.array(layer.biases))
    return LINKS[model.link](table)


def _softmax(table: np.ndarray) -> np.ndarray:
    shares = np.exp(table - table.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _simplemax(table: np.ndarray) -> np.ndarray:
    """Return the shares of each row; equal shares where the row adds up to nothing."""
    whole = table.sum(axis=1, keepdims=True)
    return np.asarray(np.where(whole == 0, 1 / table.shape[1], table / whole))


def _logistic(table: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-table)))


def _value(expression: Expression, values: dict[str, np.ndarray]) -> np.ndarray:
    if isinstance(expression, Ref):
        return values[expression.name]
    if isinstance(expression, Const):
        return np.asarray(expression.value, object if isinstance(expression.value, str) else np.float64)
    if isinstance(expression, Lookup):
        return _looked_up(expression, values[expression.name])
    return _applied(expression, values)


def _looked_up(table: Lookup, keys: np.ndarray) -> np.ndarray:
    is_text = isinstance(table.default, str)
    known = dict(zip(table.keys, table.values, strict=True))
    gap = None if is_text else np.nan
    gone = _is_missing(keys)
    cells = [gap if lost else known.get(key, table.default) for key, lost in zip(keys.tolist(), gone, strict=True)]
    return np.array(cells, object if is_text else np.float64)


def _is_missing(value: np.ndarray) -> np.ndarray:
    return np.asarray(np.equal(value, np.array(None)) if value.dtype == object else np.isnan(value))


def _applied(call: Apply, values: dict[str, np.ndarray]) -> np.ndarray:
    arguments = [_value(argument, values) for argument in call.arguments]
    if call.function in ("isMissing", "isNotMissing"):
        return np.asarray(_is_missing(arguments[0]) == (call.function == "isMissing"), np.float64)
    if call.function == "if":
        return _chosen(*arguments)
    if call.function in TRUTHS:
        gone = reduce(np.logical_or, [_is_missing(argument) for argument in arguments])
        return np.where(gone, np.nan, TRUTHS[call.function](*arguments))
    return NUMBERS[call.function](*arguments)


def _chosen(condition: np.ndarray, yes: np.ndarray, no: np.ndarray | None = None) -> np.ndarray:
    """Choose by a truth; without one, and without a second choice, the answer is missing."""
    is_text = yes.dtype == object
    gap = np.asarray(None if is_text else np.nan, yes.dtype)
    chosen = np.where(condition == 1, yes, gap if no is None else no)
    return np.where(np.isnan(condition), gap, chosen)


def _is_in(value: np.ndarray, *others: np.ndarray) -> np.ndarray:
    return reduce(np.logical_or, [np.equal(value, other) for other in others])


def _sum(*parts: np.ndarray) -> np.ndarray:
    """Add what is not missing, as PMML does; missing when everything is."""
    gone = reduce(np.logical_and, [np.isnan(part) for part in parts])
    return np.where(gone, np.nan, sum(np.nan_to_num(part, nan=0.0, posinf=np.inf, neginf=-np.inf) for part in parts))


NUMBERS: dict[str, Callable[..., np.ndarray]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "sqrt": np.sqrt, "abs": np.abs, "exp": np.exp,
    "ln": np.log, "ln1p": np.log1p, "expm1": np.expm1, "floor": np.floor, "tanh": np.tanh, "pow": np.power, "sum": _sum,
    "min": lambda *parts: reduce(np.fmin, parts), "max": lambda *parts: reduce(np.fmax, parts),
}  # fmt: skip
TRUTHS: dict[str, Callable[..., np.ndarray]] = {
    "equal": np.equal, "notEqual": np.not_equal, "lessThan": np.less, "lessOrEqual": np.less_equal,
    "greaterThan": np.greater, "greaterOrEqual": np.greater_equal, "isIn": _is_in,
    "isNotIn": lambda *parts: ~_is_in(*parts), "not": lambda part: part == 0,
    "and": lambda *parts: reduce(np.logical_and, [part == 1 for part in parts]),
    "or": lambda *parts: reduce(np.logical_or, [part == 1 for part in parts]),
}  # fmt: skip
LINKS: dict[str, Callable[..., np.ndarray]] = {
    "none": lambda table: table, "logit": _logistic, "exp": np.exp, "softmax": _softmax,
    "simplemax": _simplemax,
}  # fmt: skip
ACTIVATIONS: dict[str, Callable[..., np.ndarray]] = {
    "identity": lambda table: table, "logistic": _logistic, "tanh": np.tanh,
    "rectifier": lambda table: np.where(table < 0, 0.0, table),
}  # fmt: skip
MODELS: dict[type, Callable[..., np.ndarray]] = {
    Regression: _regression, TreeModel: _forest, Clusters: _clusters, Bayes: _bayes, Network: _network,
}  # fmt: skip
