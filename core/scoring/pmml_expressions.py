"""Expressions in PMML: what the writer puts into a DerivedField, and what the reader understands of one."""

import itertools
import math
from typing import TYPE_CHECKING, TypeAlias

from core.domain.errors import Refused
from core.scoring.form import FUNCTIONS, Apply, Const, Expression, Lookup, Ref

if TYPE_CHECKING:
    from lxml import etree

Element: TypeAlias = "etree._Element"

NUMBERS = ("double", "float", "integer", "boolean")


def child(parent: Element, tag: str, **attributes: str) -> Element:
    """Add an element to its parent, and return it."""
    return child_at(parent, len(parent), tag, **attributes)


def child_at(parent: Element, at: int, tag: str, **attributes: str) -> Element:
    """Add an element to its parent at a place among its children, and return it."""
    from lxml import etree

    element = etree.Element(tag, nsmap=parent.nsmap, **attributes)
    element.tag = f"{{{parent.nsmap[None]}}}{tag}" if parent.nsmap.get(None) else tag
    parent.insert(at, element)
    return element


def real(value: float) -> str:
    """Return the shortest text that reads back as the same float64; the infinite as every reader of PMML takes it."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(float(value))


def typed(value: object) -> str:
    """Return PMML's data type of a category or a constant."""
    return "string" if isinstance(value, str) else "integer" if isinstance(value, int) else "double"


def text_of(value: float | str) -> str:
    """Return a constant as text."""
    return value if isinstance(value, str) else real(value)


def express(parent: Element, expression: Expression) -> None:
    """Add an expression to a derived field or a call."""
    if isinstance(expression, Ref):
        child(parent, "FieldRef", field=expression.name)
    elif isinstance(expression, Const):
        child(parent, "Constant", dataType=typed(expression.value)).text = text_of(expression.value)
    elif isinstance(expression, Lookup):
        _table(parent, expression)
    else:
        call = child(parent, "Apply", function=expression.function)
        for argument in expression.arguments:
            express(call, argument)


def _table(parent: Element, lookup: Lookup) -> None:
    is_gap = isinstance(lookup.default, float) and math.isnan(lookup.default)
    known = {} if is_gap else {"defaultValue": text_of(lookup.default)}
    table = child(parent, "MapValues", outputColumn="to", dataType=typed(lookup.default), **known)
    child(table, "FieldColumnPair", field=lookup.name, column="from")
    rows = child(table, "InlineTable")
    for key, value in zip(lookup.keys, lookup.values, strict=True):
        row = child(rows, "row")
        child(row, "from").text = text_of(key)
        child(row, "to").text = text_of(value)


class Scope:
    """The names that an expression may use: their own names in the form, and which of them are texts."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.texts: set[str] = set()
        self.floats: set[str] = set()

    def inner(self) -> "Scope":
        """Return a scope inside this one."""
        scope = Scope()
        scope.names, scope.texts, scope.floats = dict(self.names), self.texts, self.floats
        return scope

    def find(self, name: str | None) -> str:
        """Return the form's name of a field. Raises Refused for one that is not there."""
        if name not in self.names:
            raise Refused(
                f"The PMML file uses the field {str(name)[:80]!r}, which it does not define.", "Export it again."
            )
        return self.names[name]


def understand(element: Element, scope: Scope) -> Expression:
    """Read an expression. Raises Refused for what is not supported here."""
    tag = local(element)
    if tag not in READERS:
        raise Refused(f"The PMML element {tag} is not supported.", "Write the transformation with Apply.")
    return READERS[tag](element, scope)


def local(element: Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def named(element: Element, *tags: str) -> list[Element]:
    """Return the children of some names, in order."""
    return [one for one in element if local(one) in tags]


def number(text: str | None, what: str) -> float:
    """Return a number of the file. Raises Refused."""
    try:
        return float(str(text).replace("INF", "Infinity") if str(text) in ("INF", "-INF") else str(text))
    except ValueError:
        raise Refused(
            f"{what} of the PMML file is {str(text)[:40]!r}, which is not a number.", "Export the file again."
        ) from None


def constant(text: str, dtype: str | None) -> float | str:
    """Return a constant in its type; without one, a number where the text reads as one."""
    if dtype == "boolean":
        return float(text.strip().lower() in ("true", "1", "1.0"))
    if dtype in NUMBERS:
        return number(text, "A constant")
    if dtype == "string":
        return text
    try:
        return float(text)
    except ValueError:
        return text


def _reference(element: Element, scope: Scope) -> Expression:
    found = Ref(scope.find(element.get("field")))
    gap = element.get("mapMissingTo")
    return found if gap is None else _or_else(found, _fitting(gap, found.name, scope))


def _fitting(text: str, name: str, scope: Scope) -> Const:
    """Return a constant in the type of the field that it is compared with or stands for."""
    return Const(text if name in scope.texts else number(text, f"A value of {name!r}"))


def _or_else(value: Expression, other: Expression) -> Expression:
    return Apply("if", (Apply("isMissing", (value,)), other, value))


def _constant(element: Element, scope: Scope) -> Expression:
    return Const(constant(element.text or "", element.get("dataType")))


def _apply(element: Element, scope: Scope) -> Expression:
    function = str(element.get("function"))
    if function not in FUNCTIONS:
        raise Refused(f"The PMML function {function[:60]} is not supported.", "Compute it before the model.")
    parts = [understand(part, scope) for part in element if local(part) != "Extension"]
    if function in ("equal", "notEqual", "isIn", "isNotIn"):
        parts = _same_kind(parts, scope)
    if not LOWEST.get(function, 1) <= len(parts) <= HIGHEST.get(function, 1_000_000):
        raise Refused(f"The PMML function {function} has {len(parts)} arguments.", "Export the file again.")
    found: Expression = Apply(function, tuple(parts))
    for attribute in ("mapMissingTo", "defaultValue"):
        if element.get(attribute) is not None:
            found = _or_else(found, Const(constant(element.get(attribute), None)))
    return found


def _same_kind(parts: list[Expression], scope: Scope) -> list[Expression]:
    """Return the arguments of a comparison with constants in the type of the field beside them."""
    is_text = any(isinstance(part, Ref) and part.name in scope.texts for part in parts)
    is_number = any(isinstance(part, Ref) and part.name not in scope.texts for part in parts)
    if not is_text and not is_number:
        return parts
    return [Const(text_of(p.value) if is_text else number(text_of(p.value), "A constant")) if isinstance(p, Const) else p for p in parts]  # fmt: skip


def _is_value(element: Element, scope: Scope) -> Expression:
    """Read NormDiscrete: 1 where the field has the value, else 0."""
    name = scope.find(element.get("field"))
    same = Apply(
        "if", (Apply("equal", (Ref(name), _fitting(str(element.get("value")), name, scope))), Const(1.0), Const(0.0))
    )
    gap = element.get("mapMissingTo")
    return (
        same
        if gap is None
        else Apply("if", (Apply("isMissing", (Ref(name),)), Const(number(gap, "mapMissingTo")), same))
    )


def _polyline(element: Element, scope: Scope) -> Expression:
    """Read NormContinuous: straight lines between the points, and beyond the ends by the outliers' rule."""
    x = Ref(scope.find(element.get("field")))
    points = [(number(p.get("orig"), "orig"), number(p.get("norm"), "norm")) for p in named(element, "LinearNorm")]
    rule = element.get("outliers", "asIs")
    if len(points) < 2 or rule not in ("asIs", "asExtremeValues", "asMissingValues"):
        raise Refused(f"A NormContinuous of the PMML file has {len(points)} points.", "Export the file again.")
    lines = [_line(x, a, b) for a, b in itertools.pairwise(points)]
    found = lines[-1]
    for line, (edge, _) in zip(reversed(lines[:-1]), reversed(points[1:-1]), strict=True):
        found = Apply("if", (Apply("lessThan", (x, Const(edge))), line, found))
    for test, (edge, height) in (("lessThan", points[0]), ("greaterThan", points[-1])):
        if rule != "asIs":
            beyond = Const(height if rule == "asExtremeValues" else math.nan)
            found = Apply("if", (Apply(test, (x, Const(edge))), beyond, found))
    gap = element.get("mapMissingTo")
    return found if gap is None else _or_else(found, Const(number(gap, "mapMissingTo")))


def _line(x: Expression, a: tuple[float, float], b: tuple[float, float]) -> Expression:
    if b[0] == a[0]:
        raise Refused("Two points of a NormContinuous of the PMML file coincide.", "Export the file again.")
    slope = (b[1] - a[1]) / (b[0] - a[0])
    return Apply("+", (Const(a[1]), Apply("*", (Apply("-", (x, Const(a[0]))), Const(slope)))))


def _looked_up(element: Element, scope: Scope) -> Expression:
    """Read MapValues with one key column and an inline table."""
    pairs, tables = named(element, "FieldColumnPair"), named(element, "InlineTable")
    if len(pairs) != 1 or len(tables) != 1:
        raise Refused("A MapValues of the PMML file has several keys, or a table elsewhere.", "Put the table inline.")
    name, column, out = scope.find(pairs[0].get("field")), pairs[0].get("column"), element.get("outputColumn")
    rows = [{local(cell): cell.text or "" for cell in row} for row in named(tables[0], "row")]
    if any(column not in row or out not in row for row in rows) or len(rows) < 1:
        raise Refused("A row of a table in the PMML file lacks a cell.", "Export the file again.")
    numeric = element.get("dataType", "double" if all(_reads_as_number(r[out]) for r in rows) else "string") in NUMBERS
    values = tuple(number(r[out], "A cell") if numeric else r[out] for r in rows)
    keys = tuple(_fitting(r[column], name, scope).value for r in rows)
    default = element.get("defaultValue")
    if default is None and not numeric:
        raise Refused("A table of texts in the PMML file has no default.", "Give MapValues a defaultValue.")
    other = math.nan if default is None else number(default, "defaultValue") if numeric else default
    table = Lookup(name, keys, values, other)
    gap = element.get("mapMissingTo")
    if gap is None:
        return table
    return Apply(
        "if", (Apply("isMissing", (Ref(name),)), Const(number(gap, "mapMissingTo") if numeric else gap), table)
    )


def _reads_as_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _binned(element: Element, scope: Scope) -> Expression:
    """Read Discretize: the value of the first interval that holds the number."""
    x = Ref(scope.find(element.get("field")))
    dtype = element.get("dataType")
    default = element.get("defaultValue")
    found: Expression = Const(math.nan if default is None else constant(default, dtype))
    for one in reversed(named(element, "DiscretizeBin")):
        (interval,) = named(one, "Interval")
        found = Apply("if", (inside(x, interval), Const(constant(str(one.get("binValue")), dtype)), found))
    gap = element.get("mapMissingTo")
    return found if gap is None else _or_else(found, Const(constant(gap, dtype)))


def inside(x: Expression, interval: Element) -> Expression:
    """Return where a number lies in an Interval."""
    closure = str(interval.get("closure"))
    tests: list[Expression] = []
    if interval.get("leftMargin") is not None:
        low = Const(number(interval.get("leftMargin"), "leftMargin"))
        tests.append(Apply("greaterThan" if closure.startswith("open") else "greaterOrEqual", (x, low)))
    if interval.get("rightMargin") is not None:
        high = Const(number(interval.get("rightMargin"), "rightMargin"))
        tests.append(Apply("lessThan" if closure.endswith("Open") else "lessOrEqual", (x, high)))
    return tests[0] if len(tests) == 1 else Apply("and", tuple(tests))


LOWEST = {"if": 2, "+": 2, "-": 2, "*": 2, "/": 2, "pow": 2, "equal": 2, "notEqual": 2, "lessThan": 2, "lessOrEqual": 2,
          "greaterThan": 2, "greaterOrEqual": 2, "isIn": 2, "isNotIn": 2, "and": 2, "or": 2}  # fmt: skip
HIGHEST = {"if": 3, "+": 2, "-": 2, "*": 2, "/": 2, "pow": 2, "equal": 2, "notEqual": 2, "lessThan": 2, "lessOrEqual": 2,
           "greaterThan": 2, "greaterOrEqual": 2, "sqrt": 1, "abs": 1, "exp": 1, "ln": 1, "ln1p": 1, "expm1": 1, "floor": 1,
           "tanh": 1, "not": 1, "isMissing": 1, "isNotMissing": 1}  # fmt: skip
READERS = {
    "FieldRef": _reference, "Constant": _constant, "Apply": _apply, "NormDiscrete": _is_value,
    "NormContinuous": _polyline, "MapValues": _looked_up, "Discretize": _binned,
}  # fmt: skip
