"""What a data dictionary takes for missing and for valid, and what a mining schema does with the rest, in PMML's order.

Marks of missing values first, then invalid values, then outliers, then replacements (dmg.org, PMML 4.4, Mining Schema).
"""

import math
from dataclasses import dataclass
from typing import Any

from core.domain.errors import Refused
from core.scoring.form import Apply, Const, Expression
from core.scoring.pmml_expressions import inside, named, number


@dataclass(frozen=True)
class DataField:
    """One entry of the data dictionary: its valid values and intervals (none where all are), invalid and missing values."""

    name: str
    dtype: str
    values: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    intervals: tuple[Any, ...] = ()

    @property
    def is_text(self) -> bool:
        """Say whether its values are texts."""
        return self.dtype == "string"

    @property
    def spread(self) -> tuple[float, float]:
        """The middle of its bounded intervals or its numbers, and a quarter of their length; 0 and 1 where it has none."""
        if self.is_text:
            return 0.0, 1.0
        ends = [one.get(end) for one in self.intervals for end in ("leftMargin", "rightMargin")] or list(self.values)
        edges = [number(end, "A margin") for end in ends if end is not None]
        if len(edges) < max(2, len(ends)) or min(edges) == max(edges):
            return 0.0, 1.0
        return (min(edges) + max(edges)) / 2, (max(edges) - min(edges)) / 4


def data_field(element: Any) -> DataField:
    """Read a DataField."""
    told = [(one.get("property", "valid"), str(one.get("value"))) for one in named(element, "Value")]
    valid, missing, invalid = (
        tuple(value for kind, value in told if kind == wanted) for wanted in ("valid", "missing", "invalid")
    )
    name, dtype = str(element.get("name")), str(element.get("dataType"))
    return DataField(name, dtype, valid, missing, invalid, tuple(named(element, "Interval")))


def marked(value: Expression, field: DataField) -> Expression:
    """Return the value without the numbers that stand for a missing one; texts lose theirs as inputs."""
    if not field.missing or field.is_text:
        return value
    return Apply("if", (Apply("isIn", (value, *_options(field.missing, field))), Const(math.nan), value))


def valid(value: Expression, field: DataField) -> Expression | None:
    """Return where a value is valid, or None where every one is; a missing value is neither valid nor invalid."""
    ways: list[Expression] = [] if field.is_text else [inside(value, one) for one in field.intervals]
    ways += [Apply("isIn", (value, *_options(field.values, field)))] if field.values else []
    parts: list[Expression] = [ways[0] if len(ways) == 1 else Apply("or", tuple(ways))] if ways else []
    parts += [Apply("isNotIn", (value, *_options(field.invalid, field)))] if field.invalid else []
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else Apply("and", tuple(parts))


def checked(value: Expression, one: Any, field: DataField) -> tuple[Expression, list[Expression]]:
    """Return the value after a MiningField's treatment of invalid ones, and what must hold for the model to answer at all. Raises Refused."""
    truth, rule = valid(value, field), one.get("invalidValueTreatment", "returnInvalid")
    needed = list[Expression]()
    if rule not in ("returnInvalid", "asIs", "asMissing", "asValue"):
        raise Refused(f"The PMML file treats invalid values with {str(rule)[:40]}, which has no reading here.", "Use asIs or asMissing.")  # fmt: skip
    if truth is not None and rule == "returnInvalid":
        needed.append(Apply("if", (Apply("isMissing", (value,)), Const(1.0), truth)))
    elif truth is not None and rule == "asMissing":
        value = Apply("if", (truth, value))
    elif truth is not None and rule == "asValue":
        value = Apply("if", (truth, value, *_options((str(one.get("invalidValueReplacement")),), field)))
    if one.get("missingValueTreatment") == "returnInvalid":
        needed.append(Apply("isNotMissing", (value,)))
    return value, needed


def within(value: Expression, one: Any, field: DataField) -> Expression:
    """Return the value after a MiningField's rule for outliers, which texts have none of."""
    rule = one.get("outliers", "asIs")
    if rule == "asIs" or field.is_text:
        return value
    for attribute, test in (("lowValue", "lessThan"), ("highValue", "greaterThan")):
        if one.get(attribute) is not None:
            edge = number(one.get(attribute), attribute)
            beyond = edge if rule == "asExtremeValues" else math.nan
            value = Apply("if", (Apply(test, (value, Const(edge))), Const(beyond), value))
    return value


def filled(value: Expression, one: Any, field: DataField) -> Expression:
    """Return the value with a MiningField's replacement of missing ones."""
    fill = one.get("missingValueReplacement")
    if fill is None:
        return value
    return Apply("if", (Apply("isMissing", (value,)), *_options((fill,), field), value))


def _options(values: tuple[str, ...], field: DataField) -> tuple[Const, ...]:
    return tuple(Const(value if field.is_text else number(value, f"A value of {field.name!r}")) for value in values)
