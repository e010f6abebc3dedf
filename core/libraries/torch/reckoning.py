"""Which inputs a torch graph reckons with in whole numbers, or compares with each other: engines that compute in narrower types lose the large ones, and the last digits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.libraries.torch import ExportedProgram, ScriptModule

RECKONS = frozenset((
    "add", "add_", "sub", "sub_", "rsub", "mul", "mul_", "remainder", "fmod", "floor_divide", "div", "neg", "abs", "pow", "square",
    "sum", "cumsum", "prod", "amax", "amin", "max", "min", "maximum", "minimum", "argmax", "argmin", "sort", "topk", "sign",
    "__lshift__", "__rshift__", "bitwise_left_shift", "bitwise_right_shift", "diff", "dot", "matmul", "clamp",
))  # fmt: skip
"""Operators of aten that engines were seen to compute in floats, or that make numbers larger."""
KEEPS = RECKONS - {"argmax", "argmin"} | frozenset((
    "reshape", "view", "flatten", "transpose", "permute", "unsqueeze", "squeeze", "expand", "repeat", "slice", "select", "index_select",
    "gather", "cat", "stack", "where", "masked_fill", "contiguous", "clone", "detach", "to", "_to_copy", "flip", "roll", "narrow",
    "bitwise_and", "bitwise_or", "bitwise_xor", "__and__", "__or__", "__xor__", "alias", "lift_fresh_copy", "split", "chunk",
))  # fmt: skip
"""Operators whose result still holds whole numbers."""
BESIDE = frozenset(("lt", "le", "gt", "ge", "eq", "ne", "sub", "sub_", "rsub"))
"""Operators that tell numbers of two inputs from each other, or take one from the other."""
CHOOSES = frozenset(
    ("floor", "ceil", "round", "trunc", "frac", "remainder", "fmod", "floor_divide", "argmax", "argmin", "topk", "sort")
)
"""Operators that jump where a number passes another or a whole one."""
SCALED = frozenset(("add", "add_", "sub", "sub_", "rsub"))
"""Operators of a script with a factor behind their operands, which is 1."""
CASTS = frozenset(("to", "_to_copy"))
FOLLOWED = KEEPS - {"matmul", "dot"} | BESIDE | CHOOSES
WHOLE = frozenset(range(5))
"""torch's numbers of its types of whole numbers (c10/core/ScalarType.h)."""


@dataclass(frozen=True)
class Call:
    """One operator: the values that go in and come out, and the numbers among its arguments."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: tuple[float, ...]
    whole: bool | None
    """Whether the result holds whole numbers, where the graph says so."""


def of_program(program: ExportedProgram, names: Iterable[str]) -> frozenset[str]:
    """Return the inputs of an exported program that it reckons with."""
    return _reckoned(program_calls(program), {name: name for name in names})


def of_script(module: ScriptModule, names: Iterable[str]) -> frozenset[str]:
    """Return the inputs of whole numbers of a script that it reckons with."""
    graph = module.inlined_graph
    inputs = [value.debugName() for value in graph.inputs()][1:]
    return _reckoned(script_calls(graph), dict(zip(inputs, names, strict=False)))


def close_in_program(program: ExportedProgram, names: Iterable[str]) -> frozenset[str]:
    """Return the inputs of an exported program whose numbers are told from each other, or rounded, before they are weighed."""
    return _compared(program_calls(program), {name: name for name in names})


def close_in_script(module: ScriptModule, names: Iterable[str]) -> frozenset[str]:
    """Return the same of a script."""
    graph = module.inlined_graph
    inputs = [value.debugName() for value in graph.inputs()][1:]
    return _compared(script_calls(graph), dict(zip(inputs, names, strict=False)))


def _compared(calls: Iterator[Call], names: dict[str, str]) -> frozenset[str]:
    """Follow each input through what keeps its numbers, and return those that meet another or are rounded."""
    held: dict[str, frozenset[str]] = {value: frozenset((name,)) for value, name in names.items()}
    found: frozenset[str] = frozenset()
    for call in calls:
        met = [held[name] for name in call.inputs if name in held]
        if not met or call.name not in FOLLOWED:
            continue
        of = frozenset[str]().union(*met)
        if call.name in CHOOSES or (call.name in BESIDE and len(met) > 1) or (call.whole and call.name in CASTS):
            found |= of
        held.update(dict.fromkeys(call.outputs, of))
    return found


def program_calls(program: ExportedProgram) -> Iterator[Call]:
    """Yield the operators of a program in order."""
    import torch

    for node in program.graph.nodes:
        if node.op == "call_function" and "aten" in str(node.target):
            value = node.meta.get("val")
            whole = not value.dtype.is_floating_point if isinstance(value, torch.Tensor) else None
            numbers = tuple(one for one in node.args if isinstance(one, (int, float)))
            inputs = tuple(one.name for one in node.all_input_nodes)
            yield Call(str(node.target).split(".")[1], inputs, (node.name,), numbers, whole)


def script_calls(graph: object) -> Iterator[Call]:
    """Yield the operators of a script's graph in order."""
    for node in graph.nodes():  # type: ignore[attr-defined]
        given = list(node.inputs())
        name = node.kind().removeprefix("aten::")
        told = given[:2] if name in SCALED else given
        numbers = tuple(_number(one.toIValue()) for one in told if one.node().kind() == "prim::Constant")
        inputs = tuple(one.debugName() for one in given)
        outputs = tuple(one.debugName() for one in node.outputs())
        if name in ("prim::ListConstruct", "prim::TupleConstruct", "prim::ListUnpack", "prim::NumToTensor"):
            name = "view"
        yield Call(name, inputs, outputs, tuple(n for n in numbers if isinstance(n, (int, float))), None)


def _number(value: object) -> object:
    """Return what a constant holds, a tensor of one element as its number."""
    import torch

    return value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value


def _reckoned(calls: Iterator[Call], names: dict[str, str]) -> frozenset[str]:
    """Follow each input through what keeps whole numbers, and return those that something is reckoned with."""
    held: dict[str, frozenset[str]] = {value: frozenset((name,)) for value, name in names.items()}
    found: frozenset[str] = frozenset()
    for call in calls:
        of = frozenset[str]().union(*(held.get(name, ()) for name in call.inputs))
        if not of or call.name not in KEEPS | RECKONS:
            continue
        flag = call.name == "rsub" and call.numbers[:1] == (1,)
        if call.name in RECKONS and not flag:
            found |= of
        if _keeps(call):
            held.update(dict.fromkeys(call.outputs, of))
    return found


def _keeps(call: Call) -> bool:
    """Say whether the result still holds whole numbers; a script does not tell the type of a result, its arguments do."""
    if call.name not in KEEPS:
        return False
    if call.whole is not None:
        return call.whole
    if call.name in ("to", "_to_copy"):
        kinds = [n for n in call.numbers if isinstance(n, int) and not isinstance(n, bool)]
        return bool(kinds) and kinds[0] in WHOLE
    return not any(isinstance(n, float) for n in call.numbers)
