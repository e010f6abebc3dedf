"""Expressions in the text of a ``.pt2`` program: torch hands them to evaluators, so that only arithmetic on symbols may pass.

Shapes go to ``sympy.sympify``, guards to ``exec``; both run what they are given. The text is parsed as Python here and
every node of the tree must be on a list; strings inside guards may hold no quote, because torch pastes them into source.
"""

import ast
import re
import warnings
from collections.abc import Iterator

from core.domain.errors import Refused

AGAIN = "Ask the author for ONNX, or export the model again from its source."
MAX_TEXT = 4_000
MAX_PARTS = 600
MAX_NUMBER = 2**63
MAX_POWERS = 4
MAX_EXPONENT = 8

SYMBOL = re.compile(r"(s|u|f|i|zf|zuf|ps|sf|uf)\d{1,6}|oo|int_oo|inf")
PLAIN_TEXT = re.compile(r"[A-Za-z0-9_.]{0,120}")
FUNCTIONS = {
    *("FloorDiv", "ModularIndexing", "Where", "PythonMod", "Mod", "CleanDiv", "CeilToInt", "FloorToInt", "CeilDiv"),
    *(
        "FloatTrueDiv",
        "IntTrueDiv",
        "IsNonOverlappingAndDenseIndicator",
        "TruncToFloat",
        "TruncToInt",
        "RoundToInt",
        "RoundDecimal",
    ),
    *(
        "ToFloat",
        "Identity",
        "Max",
        "Min",
        "Abs",
        "floor",
        "ceiling",
        "sqrt",
        "Eq",
        "Ne",
        "Ge",
        "Le",
        "Gt",
        "Lt",
        "And",
        "Or",
        "Not",
    ),
    *("Add", "Mul", "Integer", "Float", "Rational", "Symbol", "true", "false", "Equality", "Unequality"),
    *("StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan"),
}
POWERS = {"Pow", "PowByNatural", "FloatPow", "LShift", "RShift"}
ASSUMPTIONS = {
    "positive",
    "nonnegative",
    "nonzero",
    "integer",
    "real",
    "finite",
    "negative",
    "nonpositive",
    "precision",
}
NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,40})?(e[+-]?\d{1,3})?")
SIGNS = {"Add": " + ", "Mul": "*"}
NODES = (
    *(
        ast.Expression,
        ast.Load,
        ast.keyword,
        ast.BinOp,
        ast.UnaryOp,
        ast.Compare,
        ast.BoolOp,
        ast.Call,
        ast.Name,
        ast.Constant,
    ),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd, ast.Not, ast.Invert),
    *(ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.And, ast.Or, ast.BitAnd, ast.BitOr),
)
GUARD_NODES = (*NODES, ast.Subscript, ast.Attribute)
GUARD_NAMES = {"L", "math", "inf"}
GUARD_ATTRIBUTES = {"size", "stride", "storage_offset", "isnan", "inf"}


def check_expression(text: str) -> None:
    """Refuse a shape expression that is more than arithmetic on symbols."""
    for node in _parts(text, NODES):
        if isinstance(node, ast.Name) and not SYMBOL.fullmatch(node.id) and node.id not in FUNCTIONS | POWERS:
            raise _refused(text)
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and not (SYMBOL.fullmatch(node.value) or NUMBER.fullmatch(node.value))
        ):
            raise _refused(text)
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
            raise _refused(text)


def check_guard(text: str) -> None:
    """Refuse a guard that is more than a comparison of sizes."""
    for node in _parts(text, GUARD_NODES):
        if isinstance(node, ast.Name) and not SYMBOL.fullmatch(node.id) and node.id not in FUNCTIONS | GUARD_NAMES:
            raise _refused(text)
        if isinstance(node, ast.Attribute) and node.attr not in GUARD_ATTRIBUTES:
            raise _refused(text)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not PLAIN_TEXT.fullmatch(node.value):
            raise _refused(text)


def readable(text: str) -> str:
    """Return a checked shape expression as people write it: ``2*s0 + 1``."""
    return _written(ast.parse(text.strip(), mode="eval").body)


def _written(node: ast.expr) -> str:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)
    parts = [_written(part) for part in node.args]
    if node.func.id in ("Symbol", "Integer", "Float") and parts:
        return parts[0]
    sign = SIGNS.get(node.func.id)
    return sign.join(parts) if sign else f"{node.func.id}({', '.join(parts)})"


def _parts(text: str, allowed: tuple[type[ast.AST], ...]) -> Iterator[ast.AST]:
    """Yield the nodes of a text, all of them allowed, few, and without numbers that would grow when they are evaluated."""
    if len(text) > MAX_TEXT or not text.isprintable():
        raise _refused(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = list(ast.walk(ast.parse(text.strip(), mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refused(text) from None
    powers = [node for node in nodes if _is_power(node)]
    if len(nodes) > MAX_PARTS or len(powers) > MAX_POWERS or not all(map(_is_small_power, powers)):
        raise _refused(text)
    for node in nodes:
        if not isinstance(node, allowed) or (isinstance(node, ast.keyword) and not _is_assumption(node)):
            raise _refused(text)
        if isinstance(node, ast.Constant) and not _is_small(node.value):
            raise _refused(text)
        yield node


def _is_assumption(node: ast.keyword) -> bool:
    return node.arg in ASSUMPTIONS and isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool | int)


def _is_small(value: object) -> bool:
    if isinstance(value, bool | str | float):
        return True
    return isinstance(value, int) and abs(value) <= MAX_NUMBER


def _is_power(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return True
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in POWERS


def _is_small_power(node: ast.AST) -> bool:
    exponent = (
        node.right
        if isinstance(node, ast.BinOp)
        else node.args[1]
        if isinstance(node, ast.Call) and len(node.args) == 2
        else None
    )
    if (
        isinstance(exponent, ast.Call)
        and isinstance(exponent.func, ast.Name)
        and exponent.func.id in ("Integer", "Rational")
        and exponent.args
    ):
        exponent = exponent.args[0]
    if isinstance(exponent, ast.UnaryOp):
        exponent = exponent.operand
    return (
        isinstance(exponent, ast.Constant)
        and isinstance(exponent.value, int | float)
        and exponent.value <= MAX_EXPONENT
    )


def _refused(text: str) -> Refused:
    return Refused(f"The program computes a shape by {text[:60]!r}, which is more than plain arithmetic.", AGAIN)
