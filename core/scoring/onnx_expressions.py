"""Expressions as ONNX operators: a row of expressions of one shape is computed side by side, as a table [batch, row].

A truth is two tables of truth values: where it holds, and where it is missing (none where it never is).
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from core.scoring.form import Apply, Const, Expression, Lookup, Ref
from core.scoring.onnx_graph import DOUBLE, INT64, Graph

Row = Sequence[Expression]
Truth = tuple[str, str | None]
MANY = 4
"""Terms from which a sum of weighted columns is one matrix product."""


def shape(expression: Expression) -> object:
    """Return what expressions must share to be computed side by side."""
    if isinstance(expression, Const):
        return "constant"
    if not isinstance(expression, Apply):
        return "column"
    if weighted := weights(expression):
        return ("line", *(name for name in weighted if name))
    return (expression.function, *map(shape, expression.arguments))


def weights(expression: Expression) -> dict[str, float]:
    """Return the weight of each column in a sum of at least ``MANY`` weighted columns, its offset under no name; else nothing."""
    found: dict[str, float] = {}
    for name, weight in _terms(expression) or ():
        found[name] = found.get(name, 0.0) + weight
    return found if len(found.keys() - {""}) >= MANY else {}


def number(graph: Graph, row: Row) -> str:
    """Return the numbers of a row of expressions of one shape: [batch, row], or [1, row] of constants."""
    first = row[0]
    if isinstance(first, Const):
        return graph.constant([[one.value for one in row]])  # type: ignore[union-attr]
    if not isinstance(first, Apply):
        return graph.table(tuple(_column(graph, one) for one in row))
    if weights(first):
        return _product(graph, [weights(one) for one in row])
    if first.function in TRUTHS:
        holds, gone = truth(graph, row)
        return _unless(graph, gone, graph.cast(holds, DOUBLE))
    if first.function == "if":
        return _chosen(graph, row)
    return NUMBERS[first.function](graph, *(number(graph, part) for part in _arguments(row)))


def truth(graph: Graph, row: Row) -> Truth:
    """Return where a row of expressions holds, and where it is missing."""
    first = row[0]
    if isinstance(first, Apply) and first.function in TRUTHS:
        return TRUTHS[first.function](graph, _arguments(row))
    value = number(graph, row)
    return graph.add("Equal", value, graph.constant(1.0)), _gap(graph, row)


def _terms(expression: Expression) -> list[tuple[str, float]] | None:
    if isinstance(expression, Const) and not isinstance(expression.value, str):
        return [("", expression.value)]
    if not isinstance(expression, Apply):
        return None
    if expression.function == "*":
        weight, column = expression.arguments
        known = isinstance(weight, Const) and isinstance(column, Ref)
        return [(column.name, weight.value)] if known else None  # type: ignore[union-attr,list-item]
    if expression.function != "+":
        return None
    left, right = map(_terms, expression.arguments)
    return None if left is None or right is None else left + right


def _arguments(row: Row) -> list[Row]:
    return list(zip(*(one.arguments for one in row if isinstance(one, Apply)), strict=True))


def _column(graph: Graph, expression: Expression) -> str:
    """Return the name of a column; what is looked up becomes one."""
    if isinstance(expression, Ref):
        return expression.name
    assert isinstance(expression, Lookup)
    name = graph.free(f"{expression.name} looked up")
    graph.place((name,), _looked_up(graph, expression))
    return name


def _looked_up(graph: Graph, table: Lookup) -> str:
    """Find the one key that is equal by its number, and take its value; number 0 is the default."""
    column, known = graph.table((table.name,)), dict(zip(table.keys, table.values, strict=True))
    if not known:
        found = graph.add("Add", graph.nothing(), graph.constant([[table.default]]))
    else:
        same = graph.cast(graph.add("Equal", column, graph.constant([list(known)])), DOUBLE)
        place = graph.add("MatMul", same, graph.constant(np.arange(1, len(known) + 1).reshape(-1, 1)))
        values = graph.constant([table.default, *known.values()])
        found = graph.add("Gather", values, graph.cast(place, INT64))
    return _unless(graph, graph.add("IsNaN", column), found)


def _product(graph: Graph, rows: list[dict[str, float]]) -> str:
    names = tuple(name for name in rows[0] if name)
    matrix = graph.constant([[row[name] for row in rows] for name in names])
    offset = graph.constant([[row.get("", 0.0) for row in rows]])
    return graph.add("Add", graph.add("MatMul", graph.table(names), matrix), offset)


def _unless(graph: Graph, gone: str | None, value: str) -> str:
    return value if gone is None else graph.add("Where", gone, graph.constant(math.nan), value)


def _chosen(graph: Graph, row: Row) -> str:
    condition, *branches = _arguments(row)
    holds, gone = truth(graph, condition)
    yes, no = [number(graph, branch) for branch in branches] + [graph.constant(math.nan)] * (2 - len(branches))
    return _unless(graph, gone, graph.add("Where", holds, yes, no))


def _gap(graph: Graph, row: Row) -> str | None:
    """Return where a row of expressions is missing; constants are not."""
    if isinstance(row[0], Const) and not any(one.value != one.value for one in row):  # type: ignore[union-attr]
        return None
    if isinstance(row[0], Apply) and row[0].function in TRUTHS:
        return truth(graph, row)[1]
    return graph.add("IsNaN", number(graph, row))


def _gaps(graph: Graph, rows: list[Row]) -> str | None:
    found = [gap for gap in (_gap(graph, row) for row in rows) if gap is not None]
    return reduce(lambda a, b: graph.add("Or", a, b), found) if found else None


def _comparing(kind: str) -> Callable[[Graph, list[Row]], Truth]:
    def compared(graph: Graph, rows: list[Row]) -> Truth:
        return graph.add(kind, *(number(graph, row) for row in rows)), _gaps(graph, rows)

    return compared


def _differs(graph: Graph, rows: list[Row]) -> Truth:
    return _not_so(graph, _comparing("Equal")(graph, rows))


def _not_so(graph: Graph, found: Truth) -> Truth:
    return graph.add("Not", found[0]), found[1]


def _among(graph: Graph, rows: list[Row]) -> Truth:
    """Compare with all options at once where they are constants, else one after the other."""
    value, options = number(graph, rows[0]), rows[1:]
    if all(isinstance(option[0], Const) for option in options) and len(options) > MANY:
        table = graph.constant([list(zip(*([c.value for c in option] for option in options), strict=True))])  # type: ignore[union-attr]
        same = graph.cast(graph.add("Equal", graph.spread(value, 2), table), DOUBLE)
        return graph.add("Greater", graph.sum(same, 2), graph.constant(0.0)), _gaps(graph, rows)
    each = [graph.add("Equal", value, number(graph, option)) for option in options]
    return reduce(lambda a, b: graph.add("Or", a, b), each), _gaps(graph, rows)


def _missing(graph: Graph, rows: list[Row]) -> Truth:
    return graph.add("IsNaN", number(graph, rows[0])), None


def _joined(kind: str) -> Callable[[Graph, list[Row]], Truth]:
    """Return the writer of ``and`` or ``or``, whose answer is missing where any part is."""

    def joined(graph: Graph, rows: list[Row]) -> Truth:
        return reduce(lambda a, b: graph.add(kind, a, b), [truth(graph, row)[0] for row in rows]), _gaps(graph, rows)

    return joined


def _not(graph: Graph, rows: list[Row]) -> Truth:
    """Hold where the part is zero: a number other than 0 and 1 is no truth and no denial of one."""
    return graph.add("Equal", number(graph, rows[0]), graph.constant(0.0)), _gaps(graph, rows)


def _log1p(graph: Graph, x: str) -> str:
    """Correct the logarithm of the rounded 1 + x by what the rounding took away (Kahan)."""
    one = graph.constant(1.0)
    near = graph.add("Add", x, one)
    log, step = graph.add("Log", near), graph.add("Sub", near, one)
    found = graph.add("Div", graph.add("Mul", log, x), step)
    whole = graph.add("Where", graph.add("Equal", near, x), log, found)
    return graph.add("Where", graph.add("Equal", near, one), x, whole)


def _expm1(graph: Graph, x: str) -> str:
    """Correct exp(x) - 1 by what the rounding of exp(x) took away (Kahan)."""
    one = graph.constant(1.0)
    power = graph.add("Exp", x)
    step = graph.add("Sub", power, one)
    found = graph.add("Div", graph.add("Mul", step, x), graph.add("Log", power))
    extreme = graph.add("Or", graph.add("Equal", step, power), graph.add("Equal", step, graph.constant(-1.0)))
    whole = graph.add("Where", extreme, step, found)
    return graph.add("Where", graph.add("Equal", power, one), x, whole)


def _kept(kind: str) -> Callable[..., str]:
    """Return the writer of a function that leaves missing arguments out."""

    def step(graph: Graph, a: str, b: str) -> str:
        both = graph.add("Where", graph.add("IsNaN", b), a, graph.add(kind, a, b))
        return graph.add("Where", graph.add("IsNaN", a), b, both)

    return lambda graph, *parts: reduce(lambda a, b: step(graph, a, b), parts)


def _plain(kind: str) -> Callable[..., str]:
    return lambda graph, *parts: graph.add(kind, *parts)


def _together(graph: Graph, *parts: str) -> str:
    """Add what is not missing; missing when everything is."""
    gaps = [graph.add("IsNaN", part) for part in parts]
    filled = [graph.add("Where", gap, graph.constant(0.0), part) for gap, part in zip(gaps, parts, strict=True)]
    gone = reduce(lambda a, b: graph.add("And", a, b), gaps)
    return _unless(graph, gone, reduce(lambda a, b: graph.add("Add", a, b), filled))


NUMBERS: dict[str, Callable[..., str]] = {
    "+": _plain("Add"), "-": _plain("Sub"), "*": _plain("Mul"), "/": _plain("Div"), "sqrt": _plain("Sqrt"),
    "abs": _plain("Abs"), "exp": _plain("Exp"), "ln": _plain("Log"), "floor": _plain("Floor"), "tanh": _plain("Tanh"),
    "pow": _plain("Pow"), "ln1p": _log1p, "expm1": _expm1, "min": _kept("Min"), "max": _kept("Max"), "sum": _together,
}  # fmt: skip
TRUTHS: dict[str, Callable[[Graph, list[Row]], Truth]] = {
    "equal": _comparing("Equal"), "notEqual": _differs, "lessThan": _comparing("Less"),
    "lessOrEqual": _comparing("LessOrEqual"), "greaterThan": _comparing("Greater"),
    "greaterOrEqual": _comparing("GreaterOrEqual"), "isIn": _among,
    "isNotIn": lambda graph, rows: _not_so(graph, _among(graph, rows)), "and": _joined("And"), "or": _joined("Or"),
    "not": _not, "isMissing": _missing, "isNotMissing": lambda graph, rows: _not_so(graph, _missing(graph, rows)),
}  # fmt: skip
