"""How a form's columns and answers look from outside: one table ``X`` where the columns have no names of their own."""

from typing import Any

from core.domain.artifact import Signature, TensorSpec

Described = dict[str, list[dict[str, Any]]]
"""What ``source.described`` tells of a form: ``inputs`` and ``answers``, each in order."""

NUMPY = {"double": "float64", "float": "float32", "integer": "float64", "string": "str"}


def is_table(inputs: list[dict[str, Any]]) -> bool:
    """Say whether the columns are x1, x2, ... of one type: what scikit-learn and XGBoost call one table."""
    names = [one["name"] for one in inputs]
    return names == [f"x{place + 1}" for place in range(len(names))] and len({one["dtype"] for one in inputs}) == 1


def signature(described: Described) -> Signature:
    """Return inputs and answers from what ``source.described`` tells of a form."""
    inputs = described["inputs"]
    if is_table(inputs):
        specs: tuple[TensorSpec, ...] = (TensorSpec("X", NUMPY[inputs[0]["dtype"]], ("batch", len(inputs))),)
    else:
        specs = tuple(TensorSpec(one["name"], NUMPY[one["dtype"]], ("batch", 1)) for one in inputs)
    return Signature(specs, tuple(_answer(one) for one in described["answers"]))


def _answer(answer: dict[str, Any]) -> TensorSpec:
    if "labels" not in answer:
        return TensorSpec(answer["name"], "float64", ("batch", answer["count"]))
    return TensorSpec(answer["name"], "str" if isinstance(answer["labels"][0], str) else "int64", ("batch",))
