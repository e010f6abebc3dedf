"""The part of Python that generated scoring code is written in: arithmetic, tuples, functions of its own and of ``math``."""

import ast
from collections.abc import Iterator

from core.domain.errors import Refused

NODES = (
    ast.Module, ast.Expr, ast.Constant, ast.Import, ast.alias, ast.Assign, ast.FunctionDef, ast.arguments, ast.arg, ast.Return,
    ast.If, ast.IfExp, ast.While, ast.Name, ast.Load, ast.Store, ast.Attribute, ast.Call, ast.keyword, ast.Lambda,
    ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.Dict, ast.ListComp, ast.GeneratorExp, ast.comprehension, ast.Starred,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.UnaryOp, ast.USub, ast.Not, ast.BoolOp, ast.And, ast.Or,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.Is, ast.IsNot,
)  # fmt: skip
BUILTINS = ("abs", "enumerate", "float", "len", "max", "min", "next", "range", "round", "str", "sum", "zip")
MATH = (
    "ceil",
    "copysign",
    "exp",
    "expm1",
    "floor",
    "frexp",
    "inf",
    "isinf",
    "isnan",
    "ldexp",
    "log",
    "log1p",
    "nan",
    "pow",
    "sqrt",
    "tanh",
)


def parse(text: str) -> ast.Module:
    """Return the tree of a text that keeps to the subset. Raises Refused naming what does not."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Refused("The text is not complete Python source.", "Convert the model again.") from None
    found = list(dict.fromkeys(_outside(tree)))
    if found:
        raise Refused(f"The Python does more than score a model: {', '.join(found[:10])}.", "Convert the model again.")
    return tree


def _outside(tree: ast.Module) -> Iterator[str]:
    """Yield what lies outside the subset: kinds of statement, foreign attributes, names that are not its own."""
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    own |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        if not isinstance(node, NODES):
            yield type(node).__name__
        elif isinstance(node, ast.Import) and [(a.name, a.asname) for a in node.names] != [("math", None)]:
            yield f"import {node.names[0].name}"
        elif isinstance(node, ast.Attribute) and not _is_math(node):
            yield f".{node.attr}"
        elif isinstance(node, ast.Name) and ("__" in node.id or node.id not in {*own, *BUILTINS, "math"}):
            yield node.id
        elif isinstance(node, ast.FunctionDef) and (node.decorator_list or "__" in node.name):
            yield f"def {node.name}"
    if own & {*BUILTINS, "math"}:
        yield from sorted(own & {*BUILTINS, "math"})


def _is_math(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "math" and node.attr in MATH


def literal(tree: ast.Module, name: str) -> object:
    """Return the value of a plain assignment at the top. Raises Refused when there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == [name]:
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                break
    raise Refused(f"The Python has no plain {name}.", "Convert the model again.")
