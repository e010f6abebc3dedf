"""Encoders of categories as lookups: what the fitted encoder answers for each category, for rare and for unknown ones."""

from typing import Any

import numpy as np

from core.libraries.sklearn import Estimator, Table
from core.libraries.sklearn_onnx.graph import DOUBLE, INT64, EstimatorGraph, teach

UNKNOWN = "\uffff no such category"


def register() -> None:
    """Teach the encoders whose answer depends on one column at a time."""
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

    for kind in (OneHotEncoder, OrdinalEncoder, TargetEncoder):
        teach(kind, _encoded, lambda model: sum(_widths(model)))


def _widths(model: Estimator) -> list[int]:
    """Return the number of answers per column."""
    if hasattr(model, "drop_idx_"):
        return [int(count) for count in model._n_features_outs]
    several = len(model.classes_) if getattr(model, "target_type_", "") == "multiclass" else 1
    return [several] * len(model.categories_)


def _encoded(graph: EstimatorGraph) -> None:
    answers = _answers(graph.model)
    found = [
        graph.node("Gather", graph.constant(table), _place(graph, name, values), axis=0)
        for name, values, table in zip(_columns(graph), graph.model.categories_, answers, strict=True)
    ]
    graph.give(found[0] if len(found) == 1 else graph.node("Concat", *found, axis=1))


def _answers(model: Estimator) -> list[np.ndarray]:
    """Ask the encoder itself for each category and for an unknown one, column by column: [categories + 1, answers]."""
    edges = np.cumsum([0, *_widths(model)])
    return [_answer(model, place)[:, edges[place] : edges[place + 1]] for place in range(len(model.categories_))]


def _answer(model: Estimator, place: int) -> np.ndarray:
    values = model.categories_[place]
    rows = np.array([[column[0] for column in model.categories_]] * (len(values) + 1), dtype=object)
    rows[: len(values), place] = values
    strict = getattr(model, "handle_unknown", "ignore") == "error"
    rows[-1, place] = values[0] if strict else _unknown(values)
    if not any(isinstance(cell, str) for cell in rows[0]):
        rows = rows.astype(np.float64)
    names = getattr(model, "feature_names_in_", None)
    found = model.transform(rows if names is None else _frame(rows, names))
    table = np.array(found.toarray() if hasattr(found, "toarray") else found, np.float64)
    if strict:
        table[-1] = 0.0
    return table


def _unknown(values: np.ndarray) -> str | float:
    return UNKNOWN if isinstance(values[0], str) else float(np.nanmax(values.astype(np.float64))) + 1.0


def _frame(rows: np.ndarray, names: np.ndarray) -> Table:
    import pandas as pd

    return pd.DataFrame(rows, columns=names)


def _columns(graph: EstimatorGraph) -> list[str]:
    """Return each column [batch, 1] by name; columns of other types come as inputs of their own."""
    found = []
    for value in graph.inputs:
        count = value.type.shape[1] if len(value.type.shape) > 1 else 1
        found += [value.full_name] if count == 1 else [graph.gather(value.full_name, [n]) for n in range(count or 0)]
    return found


def _place(graph: EstimatorGraph, name: str, values: np.ndarray) -> str:
    """Return the category's number [batch], one behind the last for an unknown one.

    Raises NotImplementedError where a missing text is a category: ONNX has no missing texts.
    """
    flat = graph.node("Reshape", name, graph.constant([-1], INT64))
    if isinstance(values[0], str):
        if not all(isinstance(value, str) for value in values):
            raise NotImplementedError("a missing text is a category of its own: fill it in before the encoder")
        pairs: dict[str, Any] = {"keys_strings": list(map(str, values)), "values_int64s": list(range(len(values)))}
        return graph.node("LabelEncoder", flat, version=2, op_domain="ai.onnx.ml", default_int64=len(values), **pairs)
    wide = graph.node("Unsqueeze", graph.cast(flat, DOUBLE), graph.constant([1], INT64))
    numbers = values.astype(np.float64)
    same = graph.node("Equal", wide, graph.constant([numbers]))
    if np.isnan(numbers).any():
        same = graph.node(
            "Or", same, graph.node("And", graph.node("IsNaN", wide), graph.constant([np.isnan(numbers)], 9))
        )
    flags = graph.cast(same, DOUBLE)
    rest = graph.node("Sub", graph.constant(1.0), graph.sum(flags))
    return graph.node("ArgMax", graph.node("Concat", flags, rest, axis=1), axis=1, keepdims=0)
