"""What a form betrays of its inputs: texts that it knows, means and spreads that it scales by, thresholds of its trees."""

import math
from collections.abc import Iterator

from core.scoring.form import Apply, Const, Expression, Field, Form, Lookup, Ref, TreeModel

MAX_VALUES = 200
MAX_THRESHOLDS = 64


def known_texts(form: Form) -> dict[str, tuple[str, ...]]:
    """Return for each text input the texts that it is compared with."""
    found: dict[str, dict[str, None]] = {i.name: dict.fromkeys(i.values) for i in form.inputs if i.dtype == "string"}
    origin = _origins(form)
    for expression in (part for step in form.steps if isinstance(step, Field) for part in _parts(step.expression)):
        keys: tuple[object, ...] = ()
        if isinstance(expression, Lookup):
            name, keys = expression.name, expression.keys
        elif isinstance(expression, Apply) and expression.function in ("equal", "isIn") and isinstance(expression.arguments[0], Ref):  # fmt: skip
            name = expression.arguments[0].name
            keys = tuple(part.value for part in expression.arguments[1:] if isinstance(part, Const))
        for key in keys:
            if isinstance(key, str) and origin.get(name) in found:
                found[origin[name]][key] = None
    return {name: tuple(values)[:MAX_VALUES] for name, values in found.items()}


def thresholds(form: Form) -> dict[int, tuple[float, ...]]:
    """Return the thresholds at which trees ask inputs themselves, by the place of the input."""
    origin, places = _origins(form), {one.name: place for place, one in enumerate(form.inputs)}
    found: dict[int, set[float]] = {}
    for forest in (model for model in form.models if isinstance(model, TreeModel)):
        for feature, value in zip(forest.feature, forest.value, strict=True):
            name = origin.get(forest.fields[feature]) if feature >= 0 else None
            if (
                name is not None
                and math.isfinite(value)
                and len(found.setdefault(places[name], set())) < MAX_THRESHOLDS
            ):
                found[places[name]].add(value)
    return {place: tuple(sorted(values)) for place, values in found.items() if values}


def ranges(form: Form) -> dict[str, tuple[float, float]]:
    """Return a mean and a spread for each numeric input: a scaler's, else its thresholds', else what the input tells."""
    found = {one.name: (one.mean, one.spread) for one in form.inputs if one.dtype != "string"}
    for place, values in thresholds(form).items():
        mean = sum(values) / len(values)
        spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
        found[form.inputs[place].name] = (mean, spread or 1.0)
    origin = _origins(form)
    for step in form.steps:
        scaled = _scaled(step.expression) if isinstance(step, Field) else None
        if scaled and origin.get(scaled[0]) in found:
            found[origin[scaled[0]]] = scaled[1:]
    return found


def _origins(form: Form) -> dict[str, str]:
    """Return the input behind each name that is an input itself, rounded or with its gaps filled."""
    found = {one.name: one.name for one in form.inputs}
    for step in form.steps:
        if isinstance(step, Field):
            inner = step.expression
            if isinstance(inner, Apply) and inner.function == "if":
                inner = inner.arguments[-1]
            if isinstance(inner, Ref) and inner.name in found:
                found[step.name] = found[inner.name]
    return found


def _scaled(expression: Expression) -> tuple[str, float, float] | None:
    """Return the field, the mean and the spread of ``(field - mean) / spread``."""
    if not isinstance(expression, Apply) or expression.function != "/":
        return None
    top, below = expression.arguments
    if not isinstance(top, Apply) or top.function != "-" or not isinstance(below, Const):
        return None
    field, mean = top.arguments
    if not isinstance(field, Ref) or not isinstance(mean, Const) or isinstance(mean.value, str) or isinstance(below.value, str):  # fmt: skip
        return None
    return field.name, mean.value, below.value or 1.0


def _parts(expression: Expression) -> Iterator[Expression]:
    yield expression
    if isinstance(expression, Apply):
        for argument in expression.arguments:
            yield from _parts(argument)
