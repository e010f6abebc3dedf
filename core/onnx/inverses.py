"""The way back through one operator: from a number of its result to the numbers of its operand that give it.

Through a linear layer or a convolution it leads where all elements of the operand are equal.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from core.onnx.constants import Constants
from core.onnx.typing import NodeProto

Back = Callable[[float], tuple[float, ...]]

COLUMNS = 3
"""Columns of a linear layer that are followed: those that grow and those that fall most with the operand."""
SAME = frozenset((
    "Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Expand", "Tile", "Concat", "Split",
    "Gather", "GatherND", "GatherElements", "Pad", "Dropout", "ReduceMax", "ReduceMin", "ReduceMean", "MaxPool",
    "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "SequenceConstruct", "ArrayFeatureExtractor", "Resize",
    "FeatureVectorizer", "Relu", "Clip", "Min", "Max", "ConcatFromSequence", "SequenceAt", "SplitToSequence", "DepthToSpace",
))  # fmt: skip
"""Operators whose result holds the elements of their operand as they are, or that number again where all are equal."""
ROUNDS = ("Floor", "Ceil", "Round", "Trunc")
WHOLE = (2, 3, 4, 5, 6, 7, 12, 13)
"""TensorProto's integer types."""
INVERSES: dict[str, Back] = {
    "Neg": lambda t: (-t,),
    "Abs": lambda t: (t, -t),
    "Sqrt": lambda t: (t * t,),
    "Exp": lambda t: (math.log(t),),
    "Log": lambda t: (math.exp(t),),
    "Reciprocal": lambda t: (1 / t,),
    "Sigmoid": lambda t: (math.log(t / (1 - t)),),
    "Tanh": lambda t: (math.atanh(t),),
}


@dataclass(frozen=True)
class Step:
    """The way back, whether it is exact in the type that comes in, and whether whole numbers come out of the operator."""

    back: Back
    exact: bool = True
    whole: bool = False


def steps(node: NodeProto, place: int, constants: Constants, *, whole: bool) -> Iterator[Step]:
    """Yield the ways back through the operand at ``place``; several where constants are many, none where there is none known."""
    kind = node.op_type
    others = [name for other, name in enumerate(node.input) if other != place]
    if kind in SAME or (kind == "Where" and place):
        yield Step(lambda t: (t,), whole=whole)
    elif kind == "Cast":
        to_whole = attribute(node, "to") in WHOLE
        yield Step((lambda t: (t, t + 0.5)) if to_whole and not whole else (lambda t: (t,)), whole=to_whole)
    elif kind in ROUNDS:
        yield Step(lambda t: (t, t - 0.5, t + 0.5), whole=whole)
    elif kind in INVERSES:
        yield Step(INVERSES[kind], kind in ("Neg", "Abs"), whole)
    elif kind in ("Add", "Sub", "Mul", "Div", "Mod", "Pow") and others:
        yield from (Step(_arithmetic(kind, place, c), False, whole) for c in constants.few(others[0]))
    elif kind in ("MatMul", "Gemm", "Conv") and not place and others:
        yield from (Step(back, False) for back in _linear(node, constants, others))
    elif kind == "ReduceSum":
        yield Step(lambda t: tuple(t / count for count in constants.counts), False, whole)
    elif kind == "Scaler":
        yield from (Step(back, False) for back in _scaled(node))


def attribute(node: NodeProto, name: str) -> int:
    """Return a whole number among the attributes of a node, or 0."""
    return next((int(a.i) for a in node.attribute if a.name == name), 0)


def _arithmetic(kind: str, place: int, c: float) -> Back:
    """Return the inverse of an operator with a constant as its other operand."""
    ways: dict[tuple[str, int], Back] = {
        ("Add", 0): lambda t: (t - c,),
        ("Add", 1): lambda t: (t - c,),
        ("Sub", 0): lambda t: (t + c,),
        ("Sub", 1): lambda t: (c - t,),
        ("Mul", 0): lambda t: (t / c,),
        ("Mul", 1): lambda t: (t / c,),
        ("Div", 0): lambda t: (t * c,),
        ("Div", 1): lambda t: (c / t,),
        ("Mod", 0): lambda t: (t, t + c, t - c),
        ("Pow", 0): lambda t: (t ** (1 / c), -(t ** (1 / c))) if t >= 0 else (-((-t) ** (1 / c)),),
    }
    return ways.get((kind, place), lambda t: ())


def _linear(node: NodeProto, constants: Constants, others: list[str]) -> Iterator[Back]:
    """Yield the inverses of the columns of a layer whose inputs are all equal."""
    table = constants.array(others[0])
    if table is None or table.ndim < 2 or table.dtype.kind != "f" or (table.ndim > 2 and node.op_type != "Conv"):
        return
    across = tuple(range(1, table.ndim)) if node.op_type == "Conv" or attribute(node, "transB") else 0
    sums = table.sum(axis=across, dtype=np.float64)
    bias = constants.array(others[1]) if len(others) > 1 else None
    add = np.zeros(len(sums)) if bias is None or bias.size != len(sums) else bias.reshape(-1)
    order = np.argsort(sums)
    for column in dict.fromkeys([*order[-COLUMNS:], *order[:COLUMNS]]):
        if sums[column]:
            yield _line(float(sums[column]), float(add[column]))


def _scaled(node: NodeProto) -> Iterator[Back]:
    given = {a.name: list(a.floats) for a in node.attribute}
    for scale, offset in list(zip(given.get("scale", []), given.get("offset", []), strict=False))[:COLUMNS]:
        if scale:
            yield _line(scale, -scale * offset)


def _line(slope: float, offset: float) -> Back:
    return lambda t: ((t - offset) / slope,)
