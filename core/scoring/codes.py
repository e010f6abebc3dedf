"""Texts as numbers: each text that a form knows is its place in one list, any other is -1, and a missing one is a missing number.

ONNX has no missing texts, and its tables and choices are best at numbers. A form compares texts with texts that it knows,
never adds them up or puts them in order, and answers with none but the names of its classes.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

from core.domain.errors import Refused
from core.scoring.form import Apply, Const, Expression, Field, Form, Lookup, Ref, is_text, texts

COMPARED = ("equal", "notEqual", "isIn", "isNotIn")
UNKNOWN = -1.0


class Codes:
    """The texts that a form knows, in the order of their codes."""

    def __init__(self, form: Form) -> None:
        self._columns = texts(form)
        marks = [mark for one in form.inputs for mark in one.missing]
        expressions = [step.expression for step in form.steps if isinstance(step, Field)]
        told = dict.fromkeys((*marks, *(text for expression in expressions for text in _texts(expression))))
        self.known = tuple(told) or ("",)
        self._code = {text: float(place) for place, text in enumerate(self.known)}

    def field(self, field: Field) -> Field:
        """Return a derived field that gives a number. Raises Refused for texts that are put in order or reckoned with."""
        dtype = "double" if field.dtype == "string" else field.dtype
        return replace(field, dtype=dtype, expression=self._numbered(field.expression))

    def kept(self, name: str, missing: tuple[str, ...]) -> Expression:
        """Return the column of codes without those that stand for a missing text."""
        marks = tuple(Const(self._code[mark]) for mark in missing)
        return Apply("if", (Apply("isIn", (Ref(name), *marks)), Const(math.nan), Ref(name))) if marks else Ref(name)

    def _numbered(self, expression: Expression) -> Expression:
        if isinstance(expression, Const):
            return Const(self._value(expression.value))
        if isinstance(expression, Lookup):
            keys, values = (tuple(map(self._value, cells)) for cells in (expression.keys, expression.values))
            return Lookup(expression.name, keys, values, self._value(expression.default))
        if isinstance(expression, Ref):
            return expression
        self._check(expression)
        return Apply(expression.function, tuple(map(self._numbered, expression.arguments)))

    def _value(self, value: float | str) -> float:
        return self._code[value] if isinstance(value, str) else value

    def _check(self, call: Apply) -> None:
        """Refuse what codes cannot stand for: an order of texts, or two columns that may hold texts nobody knows."""
        words = [part for part in call.arguments if is_text(part, self._columns)]
        open_ended = [part for part in words if not isinstance(part, Const)]
        if not words or call.function in ("if", "isMissing", "isNotMissing"):
            return
        if call.function not in COMPARED or len(open_ended) > 1:
            raise Refused(
                f"The function {call.function} on {'two columns of' if len(open_ended) > 1 else 'a'} text has no ONNX form here.",
                "Compare one column with written-out texts, or convert to Python or C source.",
            )


def _texts(expression: Expression) -> Iterator[str]:
    cells: tuple[float | str, ...] = ()
    if isinstance(expression, Const):
        cells = (expression.value,)
    elif isinstance(expression, Lookup):
        cells = (*expression.keys, *expression.values, expression.default)
    elif isinstance(expression, Apply):
        for part in expression.arguments:
            yield from _texts(part)
    yield from (cell for cell in cells if isinstance(cell, str))
