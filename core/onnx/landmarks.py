"""Where an ONNX graph changes its behaviour: the constants that a value or a size is compared with, clipped to, divided by or looked up among, taken back to the inputs.

A value of the graph that is made from one input, by operators that can be inverted, is on a **path**. Where a path meets a
constant, the constant is taken back along the path to the number that the input must have.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from core.domain.landmarks import Landmarks
from core.onnx import weights
from core.onnx.constants import FEW, Constants
from core.onnx.inverses import ROUNDS, WHOLE, Step, attribute, steps
from core.onnx.typing import GraphProto, ModelProto, NodeProto, ValueInfoProto

Known = TypeVar("Known")

PATHS, LENGTH, BRANCHES, MOST = 8, 64, 16, 20_000
"""Paths that one value is followed along, operators on one of them, numbers that one constant becomes, and constants taken
back in all: bounds of the work on a large graph."""
KEPT = 512
"""Numbers or texts of one input that are told in all."""
COMPARES = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal", "Min", "Max", "Clip", "Mod", "Div", "Where")
KINKS = {
    **dict.fromkeys(("Relu", "Elu", "Selu", "Celu", "LeakyRelu", "PRelu", "Sign", "Abs"), (0.0,)),
    "HardSwish": (-3.0, 3.0),
}
"""Where an operator without a constant bends."""
SIZING = {"Reshape": 1, "Expand": 1, "ConstantOfShape": 0, "Tile": 1, "Resize": 3, "OneHot": 1, "Pad": 1, "Loop": 0, "Upsample": 1}  # fmt: skip
"""Operands that say how large something becomes."""
ASIDE = ("Gather", "Reshape", "Slice", "Expand", "Tile", "Pad", "Split", "Clip")
"""Operators whose first operand alone is handed on."""
FLOAT, LONG, DOUBLE = 1, 7, 11
"""TensorProto.FLOAT, INT64 and DOUBLE."""
FLOATS = 2**24
"""From here on floats of 32 bits do not tell whole numbers from their neighbours."""
OFFSET = 1000.0
"""From here on what is taken off or added leaves small differences of large numbers, which narrow types lose."""
WORDS = ("keys_strings", "cats_strings", "pool_strings", "classlabels_strings", "stopwords")
NUMBERS = ("keys_int64s", "keys_floats", "cats_int64s", "pool_int64s", "threshold", "replaced_value_float", "replaced_value_int64", "alpha", "lambd")  # fmt: skip
MISSING = "nodes_missing_value_tracks_true"
RECKONS = ("Add", "Sub", "Mul", "Div", "Mod", "BitShift", "Gemm", "MatMul", "Scaler", "Pow")
ORDERS = ("ReduceMax", "ReduceMin", "ReduceProd", "TopK", "ArgMax", "ArgMin", "Abs", "Neg", "Sign", "Max", "Min")
"""What engines were seen to do with whole numbers in floats of 32 bits."""
KEEPS = {
    **dict.fromkeys(
        ("Gather", "GatherElements", "GatherND", "Reshape", "Slice", "Expand", "Tile", "Pad", "Split", "Clip"), (0,)
    ),
    **dict.fromkeys(
        ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "TopK", "CumSum", "Squeeze", "Unsqueeze"), (0,)
    ),
    **dict.fromkeys(("Identity", "Flatten", "Transpose", "Abs", "Neg", "Sign", "Cast"), (0,)),
    **dict.fromkeys(("Concat", "Max", "Min", "Add", "Sub", "Mul", "Div", "Mod", "Sum"), tuple(range(64))),
    "Where": (1, 2),
    "ScatterElements": (0, 2),
}
"""Operators whose result holds whole numbers if these operands do."""
COMPARED = ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
CHOOSES = (*ROUNDS, "Mod", "ArgMax", "ArgMin", "TopK")
"""What jumps where one number of an input passes another or a whole one."""
NARROW = (2, 3, 4, 5, 10)
"""TensorProto's 8 and 16 bit kinds, which lose what is larger."""


@dataclass(frozen=True)
class Path:
    """How a value follows from an input, or from a dynamic dimension of it: one operator behind the path before."""

    input: str
    before: "Path | None" = None
    step: Step | None = None
    size: bool = False
    exact: bool = True
    whole: bool = False
    """Whether the value is a whole number here."""
    length: int = 0

    def back(self, target: float) -> list[float]:
        """Return the numbers of the input at which the value is ``target``, at most ``BRANCHES``."""
        numbers, path = [target], self
        while path.before is not None:
            if path.step:
                numbers = list(islice((n for number in numbers for n in _inverted(path.step, number)), BRANCHES))
            path = path.before
        return numbers


def _inverted(step: Step, number: float) -> tuple[float, ...]:
    try:
        return tuple(n for n in step.back(number) if math.isfinite(n))
    except (ValueError, OverflowError, ZeroDivisionError):
        return ()


def landmarks(model: ModelProto) -> Landmarks:
    """Read a graph, its branches and its loops."""
    graph = _inlined(model).graph
    held = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in held]
    paths = {value.name: [Path(value.name, whole=value.type.tensor_type.elem_type in WHOLE)] for value in inputs}
    found = _Reading()
    found.read(
        graph, Constants(counts=_counts(inputs)), paths, {name: {name} for name, (path,) in paths.items() if path.whole}
    )
    for value in graph.output:
        found.wide |= found.carried.get(value.name, set())
    if _variance_of_squares(graph):
        found.far |= {v.name for v in inputs if v.type.tensor_type.elem_type in (FLOAT, DOUBLE)}
    found.close &= {value.name for value in inputs if value.type.tensor_type.elem_type == DOUBLE}
    return found.landmarks()


def _variance_of_squares(graph: GraphProto) -> bool:
    """Say whether a variance is the mean of squares less the square of the mean, which float32 loses far from zero (doi:10.2307/2683386)."""
    made = {name: node for node in graph.node for name in node.output}

    def by(name: str, *kinds: str) -> NodeProto | None:
        node = made.get(name)
        return node if node is not None and node.op_type in kinds else None

    for node in graph.node:
        if node.op_type == "Sub":
            mean, square = by(node.input[0], "ReduceMean"), by(node.input[1], "Pow", "Mul")
            if mean and square and by(mean.input[0], "Pow", "Mul") and by(square.input[0], "ReduceMean"):
                return True
    return False


def _counts(inputs: Iterable[ValueInfoProto]) -> tuple[int, ...]:
    """Return how many elements of an input may be added up: its sizes, and all but the first together."""
    shapes = [[dim.dim_value for dim in value.type.tensor_type.shape.dim if dim.dim_value > 0] for value in inputs]
    return tuple(dict.fromkeys(count for sizes in shapes for count in (*sizes, math.prod(sizes)) if count > 1))[:FEW]


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
        self.close: set[str] = set()
        self.far: set[str] = set()
        self.carried: dict[str, set[str]] = {}
        """The inputs whose whole numbers are in a value, changed or not."""
        self.left = MOST

    def landmarks(self) -> Landmarks:
        """Return what was found, in order."""
        exact, near = (
            {name: tuple(_even(sorted(found))) for name, found in self.numbers[side].items()} for side in (True, False)
        )
        words = {name: tuple(_even(sorted(found))) for name, found in self.words.items()}
        named = (frozenset(found) for found in (self.wide, self.sizing, self.gaps, self.close, self.far))
        return Landmarks(exact, near, words, tuple(_even(sorted(self.sizes))), *named)

    def read(
        self, graph: GraphProto, constants: Constants, paths: dict[str, list[Path]], reach: dict[str, set[str]]
    ) -> None:
        """Follow paths through a graph; ``reach`` says which inputs of whole numbers have a say in a value."""
        constants.add(graph)
        self.carried = self.carried or {name: set(of) for name, of in reach.items()}
        for node in graph.node:
            if constants.made(node):
                continue
            self._reach(node, reach)
            self._carry(node, constants)
            for place, name in enumerate(node.input):
                for path in paths.get(name, ()):
                    self._meet(node, place, path, constants, paths)
            onward = list(islice(_onward(node, constants, paths), PATHS))
            if onward:
                paths.update(dict.fromkeys(node.output, onward))
            for inner in weights.branches(node):
                inside = {**paths, **_carried(node, inner, paths)}, {**reach, **_carried(node, inner, reach)}
                self.read(inner, Constants(constants), *inside)

    def _reach(self, node: NodeProto, reach: dict[str, set[str]]) -> None:
        place = SIZING.get(node.op_type)
        sizing = node.input if node.op_type == "Range" else node.input[place : place + 1] if place is not None else []
        for name in sizing:
            self.sizing |= reach.get(name, set())
        if node.op_type not in ("Shape", "Size"):
            of = set().union(*(reach.get(name, set()) for name in node.input))
            reach.update({name: of for name in node.output if of})

    def _carry(self, node: NodeProto, constants: Constants) -> None:
        """Follow whole numbers as such, and note the inputs of those that are reckoned with, put in order or narrowed."""
        kind = node.op_type
        of = set().union(*(self.carried.get(name, set()) for name in node.input))
        kept = set().union(
            *(self.carried.get(name, set()) for n, name in enumerate(node.input) if n in KEEPS.get(kind, ()))
        )
        flag = kind == "Sub" and node.input[1] in self.carried and constants.few(node.input[0]) == [1.0]
        narrow = kind == "Cast" and attribute(node, "to") in NARROW
        apart = kind in COMPARED and all(name in self.carried for name in node.input)
        if (
            kind in ORDERS
            or (kind in RECKONS and not flag)
            or narrow
            or apart
            or (kind == "Clip" and _open(node, constants))
        ):
            self.wide |= of
        if kept and (kind != "Cast" or attribute(node, "to") in WHOLE):
            self.carried.update(dict.fromkeys(node.output[:1] if kind == "TopK" else node.output, kept))

    def _meet(
        self, node: NodeProto, place: int, path: Path, constants: Constants, paths: dict[str, list[Path]]
    ) -> None:
        """Note the constants that a value on a path meets in a node, and what is reckoned with it."""
        for target in _targets(node, place, path, constants):
            self.left -= 1
            if self.left < 0:
                return
            numbers = path.back(target)
            if path.size:
                self.sizes.update(round(number) for number in numbers if abs(number) < 2**31)
            else:
                self.numbers[path.exact][path.input].update(numbers)
        if not path.size:
            self._used(node, place, path, constants, paths)

    def _used(
        self, node: NodeProto, place: int, path: Path, constants: Constants, paths: dict[str, list[Path]]
    ) -> None:
        kind = node.op_type
        others = [name for other, name in enumerate(node.input) if other != place]
        flag = kind == "Sub" and place == 1 and constants.few(others[0]) == [1.0]
        if path.whole and kind in RECKONS and not flag and all(name in constants or name in paths for name in others):
            self.wide.add(path.input)
        if kind == "Cast" and not path.whole and attribute(node, "to") == LONG:
            self.wide.add(path.input)
        beside = kind in (*COMPARED, "Sub") and all(name in paths for name in others)
        if beside or kind in CHOOSES or (kind == "Cast" and attribute(node, "to") in WHOLE):
            self.close.add(path.input)
        if kind in ("IsNaN", "IsInf", "Imputer") or any(a.name == MISSING and any(a.ints) for a in node.attribute):
            self.gaps.add(path.input)
        words = [text.decode(errors="replace") for a in node.attribute if a.name in WORDS for text in a.strings]
        words += [text for name in others for text in constants.texts(name)]
        if words:
            self.words[path.input].update(words)


def _open(node: NodeProto, constants: Constants) -> bool:
    """Say whether a Clip leaves numbers through that floats of 32 bits do not hold."""
    ends = [number for name in node.input[1:] for number in constants.few(name)]
    ends += [one.f for one in node.attribute if one.name in ("min", "max")]
    return len(ends) < 2 or any(abs(end) > FLOATS for end in ends)


def _even(found: list[Known]) -> list[Known]:
    """Return ``KEPT`` of what was found at even distances, or all where it is less."""
    return found if len(found) <= KEPT else [found[place * len(found) // KEPT] for place in range(KEPT)]


def _carried(node: NodeProto, inner: GraphProto, known: dict[str, Known]) -> dict[str, Known]:
    """Return what is known of the inputs of a loop's body: those of a Loop follow the trip count and the condition."""
    names, outer = [value.name for value in inner.input], list(node.input)
    pairs: Iterable[tuple[str, str]] = ()
    if node.op_type == "Scan" and len(names) == len(outer):
        pairs = zip(names, outer, strict=True)
    elif node.op_type == "Loop":
        pairs = zip(names[2:], outer[2:], strict=False)
    return {name: known[source] for name, source in pairs if source in known}


def _targets(node: NodeProto, place: int, path: Path, constants: Constants) -> Iterator[float]:
    """Yield the numbers at which this operand of the node changes what the node does."""
    kind = node.op_type
    yield from KINKS.get(kind, ())
    if kind in (*COMPARES, "Sub", "Add", "Slice"):
        yield from _met(kind, place, path, [number for name in node.input for number in constants.few(name)])
    if kind in ROUNDS or (kind == "Cast" and attribute(node, "to") in WHOLE and not path.whole):
        yield from (-1.5, -0.5, 0.5, 1.5, 2.5)
    if kind == "Gather" and place == 1 and node.input[0] in constants and constants.shape(node.input[0]):
        rows = constants.shape(node.input[0])[attribute(node, "axis")]
        yield from (0.0, rows - 1.0, -1.0, float(-rows))
    yield from _given(node)


def _met(kind: str, place: int, path: Path, numbers: list[float]) -> Iterator[float]:
    """Yield what the constants beside an operand mean for it."""
    if kind in ("Sub", "Add"):
        yield from ((number if kind == "Sub" else -number) for number in numbers if abs(number) >= OFFSET)
    elif kind != "Slice" or path.size:
        yield from numbers
    if kind in ("Mod", "Div") and place == 0 and path.whole:
        yield from (target for c in numbers for target in (-c, 2 * c, -c - 1, -c / 2))


def _given(node: NodeProto) -> Iterator[float]:
    """Yield the limits among the attributes of a node."""
    kind, given = node.op_type, {a.name: a for a in node.attribute}
    if kind == "Clip":
        yield from (given[name].f for name in ("min", "max") if name in given)
    if kind == "HardSigmoid":
        alpha, beta = (given[name].f if name in given else usual for name, usual in (("alpha", 0.2), ("beta", 0.5)))
        yield from ((end - beta) / alpha for end in (0.0, 1.0)) if alpha else ()
    if kind == "Shrink":
        yield from (sign * given["lambd"].f for sign in (-1, 1) if "lambd" in given)
    if kind.startswith("TreeEnsemble") and "nodes_values" in given:
        nodes = zip(given["nodes_modes"].strings, given["nodes_values"].floats, strict=False)
        yield from _even(sorted({value for mode, value in nodes if mode != b"LEAF"}))
    for name in NUMBERS:
        if name in given:
            yield from [*given[name].floats, *given[name].ints][:FEW] or [given[name].f]


def _onward(node: NodeProto, constants: Constants, paths: dict[str, list[Path]]) -> Iterator[Path]:
    """Yield the paths to a node's result through its operands."""
    for place, name in enumerate(node.input[:1] if node.op_type in ASIDE else node.input):
        for path in paths.get(name, ()):
            if node.op_type in ("Shape", "Size"):
                yield from [] if path.size else [Path(path.input, path, None, size=True, whole=True)]
            elif path.length < LENGTH:
                for step in steps(node, place, constants, whole=path.whole):
                    exact = path.exact and (step.exact or (path.whole and step.whole))
                    yield Path(path.input, path, step, path.size, exact, step.whole, path.length + 1)
