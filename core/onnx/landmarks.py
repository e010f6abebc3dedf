"""Where an ONNX graph changes its behaviour: the constants that a value or a size is compared with, clipped to, divided by or looked up among, taken back to the inputs.

A value of the graph that is made from one input element by element, by operators that can be inverted, is a **path**. Where
a path meets a constant, the constant is taken back along the path to the number that the input must have. Inputs whose
elements are all equal take paths through sums and linear layers too.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from core.domain.landmarks import Landmarks
from core.onnx import weights
from core.onnx.typing import GraphProto, ModelProto, NodeProto

Back = Callable[[float], tuple[float, ...]]
Known = TypeVar("Known")

FEW = 12
"""Different numbers of one constant that are looked at: the first and the last ones."""
PATHS = 8
"""Paths that one value is followed along."""
COLUMNS = 3
"""Columns of a linear layer that a path is followed through: those that grow and fall most with the input."""
SAME = (
    *(
        "Identity",
        "Reshape",
        "Transpose",
        "Squeeze",
        "Unsqueeze",
        "Flatten",
        "Slice",
        "Expand",
        "Tile",
        "Concat",
        "Split",
    ),
    *("Gather", "GatherND", "GatherElements", "Pad", "Dropout", "ReduceMax", "ReduceMin", "ReduceMean", "MaxPool"),
    *(
        "AveragePool",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "SequenceConstruct",
        "ArrayFeatureExtractor",
        "FeatureVectorizer",
    ),
    *("Relu", "Clip", "Min", "Max", "ConcatFromSequence", "SequenceAt", "SplitToSequence", "Resize", "DepthToSpace"),
)
"""Operators whose result holds the elements of their operand as they are, or that number again where all are equal."""
COMPARES = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal", "Min", "Max", "Clip", "Mod", "Div", "Where")
ROUNDS = ("Floor", "Ceil", "Round", "Trunc")
KINKS = {
    "Relu": (0.0,),
    "Elu": (0.0,),
    "Selu": (0.0,),
    "Celu": (0.0,),
    "LeakyRelu": (0.0,),
    "PRelu": (0.0,),
    "Sign": (0.0,),
    "HardSwish": (-3.0, 3.0),
    "Abs": (0.0,),
}
"""Where an operator without a constant bends."""
OFFSET = 1000.0
"""From here on what is taken off or added leaves small differences of large numbers, which narrow types lose."""
SIZING = {
    "Reshape": 1,
    "Expand": 1,
    "ConstantOfShape": 0,
    "Tile": 1,
    "Resize": 3,
    "OneHot": 1,
    "Pad": 1,
    "Loop": 0,
    "Upsample": 1,
}
"""Operands that say how large something becomes."""
WHOLE = (2, 3, 4, 5, 6, 7, 12, 13)
"""TensorProto's integer types."""
LONG = 7
"""TensorProto.INT64."""
WORDS = ("keys_strings", "cats_strings", "pool_strings", "classlabels_strings", "stopwords")
NUMBERS = (
    "keys_int64s",
    "keys_floats",
    "cats_int64s",
    "threshold",
    "replaced_value_float",
    "replaced_value_int64",
    "alpha",
    "lambd",
)


@dataclass(frozen=True)
class Path:
    """How one value follows from an input (or from a free dimension of it): the way back from a number, and whether nothing rounds on it."""

    input: str
    back: Back
    size: bool = False
    exact: bool = True
    whole: bool = False
    """Whether the value is a whole number here."""


def landmarks(model: ModelProto) -> Landmarks:
    """Read a graph, its branches and its loops."""
    graph = _inlined(model).graph
    held = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in held]
    found = _Reading()
    paths = {
        value.name: [Path(value.name, lambda t: (t,), whole=value.type.tensor_type.elem_type in WHOLE)]
        for value in inputs
    }
    found.read(graph, {}, paths, {value.name: {value.name} for value in inputs if paths[value.name][0].whole})
    return found.landmarks()


def _inlined(model: ModelProto) -> ModelProto:
    if not model.functions:
        return model
    import onnx.inliner

    return onnx.inliner.inline_local_functions(model)


class _Reading:
    """One walk over a graph in the order of its nodes."""

    def __init__(self) -> None:
        self.numbers: dict[bool, dict[str, set[float]]] = {True: defaultdict(set), False: defaultdict(set)}
        self.words: dict[str, set[str]] = defaultdict(set)
        self.sizes: set[int] = set()
        self.wide: set[str] = set()
        self.sizing: set[str] = set()
        self.gaps: set[str] = set()

    def landmarks(self) -> Landmarks:
        """Return what was found, in order."""
        exact, near = (
            {name: tuple(sorted(found)) for name, found in self.numbers[side].items()} for side in (True, False)
        )
        words = {name: tuple(sorted(found)) for name, found in self.words.items()}
        sets = (frozenset(found) for found in (self.wide, self.sizing, self.gaps))
        return Landmarks(exact, near, words, tuple(sorted(self.sizes)), *sets)

    def read(
        self,
        graph: GraphProto,
        constants: dict[str, np.ndarray],
        paths: dict[str, list[Path]],
        reach: dict[str, set[str]],
    ) -> None:
        """Follow paths through a graph; ``reach`` says which inputs of whole numbers have a say in a value."""
        from onnx import numpy_helper

        constants |= {
            t.name: numpy_helper.to_array(t) for t in graph.initializer if math.prod(t.dims) * len(t.dims) < 10**8
        }
        for node in graph.node:
            if (value := _constant(node, constants)) is not None:
                constants[node.output[0]] = value
                continue
            self._reach(node, reach)
            self._meet(node, constants, paths)
            ways = [way for place in range(len(node.input)) for way in _onward(node, place, constants, paths)]
            if ways:
                paths.update(dict.fromkeys(node.output, ways[:PATHS]))
            for inner in weights.branches(node):
                self.read(
                    inner,
                    dict(constants),
                    {**paths, **_carried(node, inner, paths)},
                    {**reach, **_carried(node, inner, reach)},
                )

    def _reach(self, node: NodeProto, reach: dict[str, set[str]]) -> None:
        place = SIZING.get(node.op_type)
        sizing = node.input if node.op_type == "Range" else node.input[place : place + 1] if place is not None else []
        for name in sizing:
            self.sizing |= reach.get(name, set())
        if node.op_type not in ("Shape", "Size"):
            of = set().union(*(reach.get(name, set()) for name in node.input))
            reach.update({name: of for name in node.output if of})

    def _meet(self, node: NodeProto, constants: dict[str, np.ndarray], paths: dict[str, list[Path]]) -> None:
        """Note where the operands of a node meet a constant, and what is reckoned with them."""
        for place, name in enumerate(node.input):
            for path in paths.get(name, ()):
                for target in _targets(node, place, path, constants):
                    self._note(path, target)
                self._note_use(node, place, path, constants, paths)

    def _note(self, path: Path, target: float) -> None:
        try:
            numbers = path.back(target)
        except (ValueError, OverflowError, ZeroDivisionError):
            return
        for number in numbers:
            if not math.isfinite(number):
                continue
            if path.size:
                self.sizes.add(round(number))
            else:
                self.numbers[path.exact][path.input].add(number)

    def _note_use(
        self, node: NodeProto, place: int, path: Path, constants: dict[str, np.ndarray], paths: dict[str, list[Path]]
    ) -> None:
        if path.size:
            return
        kind = node.op_type
        others = [name for other, name in enumerate(node.input) if other != place]
        flag = kind == "Sub" and place == 1 and others[0] in constants and bool(np.all(constants[others[0]] == 1))
        reckons = (
            kind in ("Add", "Sub", "Mul", "Div", "Mod", "BitShift", "Gemm", "MatMul", "Scaler", "Pow") and not flag
        )
        if path.whole and reckons and all(name in constants or name in paths for name in others):
            self.wide.add(path.input)
        if kind == "Cast" and not path.whole and _attribute(node, "to") == LONG:
            self.wide.add(path.input)
        if kind in ("IsNaN", "IsInf", "Imputer"):
            self.gaps.add(path.input)
        words = [text.decode(errors="replace") for a in node.attribute if a.name in WORDS for text in a.strings]
        words += [
            str(t)
            for name in others
            if name in constants and constants[name].dtype.kind in "OSU"
            for t in constants[name].reshape(-1)
        ]
        if words:
            self.words[path.input].update(words)


def _carried(node: NodeProto, inner: GraphProto, known: dict[str, Known]) -> dict[str, Known]:
    """Return what is known of the inputs of a loop's body: those of a Loop follow the trip count and the condition."""
    names = [value.name for value in inner.input]
    outer = list(node.input)
    if node.op_type == "Scan" and len(names) == len(outer):
        pairs: Iterable[tuple[str, str]] = zip(names, outer, strict=True)
    elif node.op_type == "Loop":
        pairs = zip(names[2:], outer[2:], strict=False)
    else:
        return {}
    return {name: known[source] for name, source in pairs if source in known}


def _constant(node: NodeProto, constants: dict[str, np.ndarray]) -> np.ndarray | None:
    """Return what a node makes of constants alone, where that is a small matter."""
    from onnx import helper, numpy_helper

    if node.op_type == "Constant" and node.attribute:
        value = helper.get_attribute_value(node.attribute[0])
        return numpy_helper.to_array(value) if node.attribute[0].name == "value" else np.asarray(value)
    if node.op_type in ("Identity", "Cast", "Unsqueeze", "Squeeze", "Reshape", "Neg", "Transpose") and node.input:
        value = constants.get(node.input[0])
        if value is not None and value.dtype.kind in "fiub" and all(name in constants for name in node.input):
            return (
                -value
                if node.op_type == "Neg"
                else value.T
                if node.op_type == "Transpose" and value.ndim == 2
                else value
            )
    return None


def _attribute(node: NodeProto, name: str) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), 0)


def _few(value: np.ndarray) -> list[float]:
    """Return the first and last different numbers of a constant."""
    if value.dtype.kind not in "fiub" or value.size > 10**6:
        return []
    numbers = np.unique(value[np.isfinite(value)].astype(np.float64))
    return [
        float(n)
        for n in (numbers if len(numbers) <= FEW else np.concatenate([numbers[: FEW // 2], numbers[-FEW // 2 :]]))
    ]


def _targets(node: NodeProto, place: int, path: Path, constants: dict[str, np.ndarray]) -> Iterator[float]:
    """Yield the numbers at which this operand of the node changes what the node does."""
    kind = node.op_type
    yield from KINKS.get(kind, ())
    met = [number for name in node.input for number in _few(constants.get(name, np.zeros(0)))]
    if kind in ("Sub", "Add"):
        yield from ((number if kind == "Sub" else -number) for number in met if abs(number) >= OFFSET)
    if kind in COMPARES:
        yield from met
        if kind in ("Mod", "Div") and place == 0 and path.whole:
            yield from (number for c in met for number in (-c, 2 * c, -c - 1, -c / 2))
    if kind == "Clip":
        yield from (a.f for a in node.attribute if a.name in ("min", "max"))
    if kind == "HardSigmoid":
        given = {"alpha": 0.2, "beta": 0.5} | {a.name: a.f for a in node.attribute}
        yield from ((end - given["beta"]) / given["alpha"] for end in (0.0, 1.0)) if given["alpha"] else ()
    if kind in ROUNDS or (kind == "Cast" and _attribute(node, "to") in WHOLE and not path.whole):
        yield from (-1.5, -0.5, 0.5, 1.5, 2.5)
    if kind == "Shrink":
        yield from (sign * a.f for a in node.attribute if a.name == "lambd" for sign in (-1, 1))
    if kind == "Gather" and place == 1 and node.input[0] in constants and constants[node.input[0]].ndim:
        rows = constants[node.input[0]].shape[_attribute(node, "axis")]
        yield from (0.0, rows - 1.0, -1.0, float(-rows))
    if kind == "Slice" and path.size:
        yield from met
    for a in node.attribute:
        if a.name in NUMBERS:
            yield from [*a.floats, *a.ints][:FEW] or [a.f]


def _onward(
    node: NodeProto, place: int, constants: dict[str, np.ndarray], paths: dict[str, list[Path]]
) -> Iterator[Path]:
    """Yield the paths to a node's result through one of its operands."""
    if place and node.op_type in ("Gather", "Reshape", "Slice", "Expand", "Tile", "Pad", "Split", "Clip"):
        return
    for path in paths.get(node.input[place], ()):
        if node.op_type in ("Shape", "Size"):
            if not path.size:
                yield Path(path.input, lambda t: (t,), size=True, whole=True)
            continue
        for step in _steps(node, place, path, constants):
            yield Path(
                path.input,
                _chained(path.back, step.back),
                path.size,
                path.exact and (step.exact or (path.whole and step.whole)),
                step.whole,
            )


def _chained(first: Back, last: Back) -> Back:
    return lambda target: tuple(number for middle in last(target) for number in first(middle))


def _steps(node: NodeProto, place: int, path: Path, constants: dict[str, np.ndarray]) -> Iterator[Path]:
    """Yield the inverse of one operator in one operand (the input of such a path is left empty)."""
    kind, whole = node.op_type, path.whole
    others = [constants.get(name) for other, name in enumerate(node.input) if other != place]
    if kind in SAME or (kind == "Where" and place):
        yield Path("", lambda t: (t,), whole=whole)
    elif kind == "Cast":
        to = _attribute(node, "to")
        to_whole = to in WHOLE
        back: Back = (lambda t: (t, t + 0.5)) if to_whole and not whole else (lambda t: (t,))
        yield Path("", back, whole=to_whole)
    elif kind in ROUNDS:
        yield Path("", lambda t: (t, t - 0.5, t + 0.5), whole=whole)
    elif kind in INVERSES:
        yield Path("", INVERSES[kind], exact=kind in ("Neg", "Abs"), whole=whole)
    elif kind in ("Add", "Sub", "Mul", "Div", "Mod", "Pow") and others and others[0] is not None:
        for c in _few(others[0]):
            yield Path("", _arithmetic(kind, place, c), exact=False, whole=whole)
    elif kind in ("MatMul", "Gemm") and not place and others[0] is not None:
        yield from (Path("", back, exact=False) for back in _linear(node, others))
    elif kind == "Conv" and not place and others[0] is not None:
        sums = others[0].reshape(len(others[0]), -1).sum(axis=1)
        yield from (Path("", back, exact=False) for back in _columns(sums, others[1] if len(others) > 1 else None))
    elif kind == "Scaler":
        given = {a.name: list(a.floats) for a in node.attribute}
        for scale, offset in list(zip(given.get("scale", []), given.get("offset", []), strict=False))[:COLUMNS]:
            if scale:
                yield Path("", lambda t, s=scale, o=offset: (t / s + o,), exact=False)  # type: ignore[misc]


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


def _linear(node: NodeProto, others: list[np.ndarray | None]) -> Iterator[Back]:
    """Yield the inverses of columns of a linear layer whose inputs are all equal."""
    table = others[0]
    if table is None or table.ndim != 2 or table.dtype.kind != "f":
        return
    table = table.T if node.op_type == "Gemm" and _attribute(node, "transB") else table
    yield from _columns(table.sum(axis=0), others[1] if len(others) > 1 else None)


def _columns(sums: np.ndarray, bias: np.ndarray | None) -> Iterator[Back]:
    order = np.argsort(sums)
    add = np.zeros(len(sums)) if bias is None or bias.size != len(sums) else bias.reshape(-1)
    for column in dict.fromkeys([*order[-COLUMNS:], *order[:COLUMNS]]):
        slope, offset = float(sums[column]), float(add[column])
        if slope:
            yield lambda t, s=slope, o=offset: ((t - o) / s,)  # type: ignore[misc]
