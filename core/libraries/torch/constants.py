"""Numbers at which a torch program changes what it does: constants that it compares an input with, clips it to, divides it by or takes far off it.

A value that follows from an input by steps ``a * x + b`` is taken back to the input (compare ``core/onnx/landmarks.py``).
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from core.domain.landmarks import Landmarks
from core.libraries.torch import ExportedProgram, ScriptModule
from core.libraries.torch.reckoning import KEEPS, RECKONS, Call, program_calls, script_calls

FEW = 16
"""Elements of a stored tensor that count as constants."""
PATHS, MOST = 8, 512
OFFSET = 1000.0
"""From here on what is taken off or added leaves small differences of large numbers."""
MEETS = frozenset((
    "lt", "le", "gt", "ge", "eq", "ne", "clamp", "clamp_min", "clamp_max", "hardtanh", "threshold", "maximum", "minimum",
    "remainder", "fmod", "floor_divide", "bucketize", "searchsorted", "isin",
))  # fmt: skip
"""Operators that do something else beyond a number."""
KINKS = {
    **dict.fromkeys(
        ("relu", "abs", "sign", "leaky_relu", "elu", "selu", "celu", "prelu", "hardshrink", "softshrink"), (0.0,)
    ),
    **dict.fromkeys(("hardswish", "hardsigmoid"), (-3.0, 3.0)),
    "relu6": (0.0, 6.0),
    **dict.fromkeys(("floor", "ceil", "round", "trunc"), (-1.5, -0.5, 0.5, 1.5, 2.5)),
}
"""Where an operator without a constant bends or jumps."""
SAME = KEEPS - RECKONS
"""Operators that hand numbers on as they are."""


class Path(NamedTuple):
    """A value that is ``scale * x + shift`` of an input."""

    input: str
    scale: float = 1.0
    shift: float = 0.0

    def back(self, target: float) -> float:
        """Return the number of the input at which the value is ``target``."""
        return (target - self.shift) / self.scale


def of_program(program: ExportedProgram, names: Iterable[str]) -> Landmarks:
    """Return the constants of an exported program by the name of its input."""
    return _landmarks(program_calls(program), {name: name for name in names}, _stored(program))


def of_script(module: ScriptModule, names: Iterable[str]) -> Landmarks:
    """Return the constants of a script by the name of its input."""
    graph = module.inlined_graph
    inputs = [value.debugName() for value in graph.inputs()][1:]
    return _landmarks(script_calls(graph), dict(zip(inputs, names, strict=False)), {})


def _stored(program: ExportedProgram) -> dict[str, tuple[float, ...]]:
    """Return the numbers of the small tensors that a program holds, by the name of their value."""
    import torch

    found, held = {}, {**program.constants, **program.state_dict}
    for spec in program.graph_signature.input_specs:
        tensor = held.get(spec.target) if spec.target else None
        if isinstance(tensor, torch.Tensor) and tensor.numel() <= FEW and not tensor.is_complex():
            found[spec.arg.name] = tuple(map(float, tensor.reshape(-1).tolist()))
    return found


def _landmarks(calls: Iterator[Call], names: dict[str, str], stored: Mapping[str, tuple[float, ...]]) -> Landmarks:
    """Follow each input as far as a step can be taken back, and note the constants that it meets."""
    held: dict[str, tuple[Path, ...]] = {value: (Path(name),) for value, name in names.items()}
    exact, near = dict[str, dict[float, None]](), dict[str, dict[float, None]]()
    for call in calls:
        paths = tuple(islice((path for name in call.inputs for path in held.get(name, ())), PATHS))
        if not paths:
            continue
        beside = [number for name in call.inputs for number in stored.get(name, ())]
        numbers = [*map(float, call.numbers), *beside]
        for path in paths:
            for target in _targets(call.name, numbers):
                plain = path.scale == 1 and not path.shift and call.name in MEETS
                _note((exact if plain else near).setdefault(path.input, {}), path.back(target))
        if onward := [step for path in paths if (step := _stepped(call.name, path, numbers)) is not None]:
            held.update(dict.fromkeys(call.outputs, tuple(onward)))
    return Landmarks(
        {name: tuple(found) for name, found in exact.items()}, {n: tuple(found) for n, found in near.items()}
    )


def _note(found: dict[float, None], number: float) -> None:
    if math.isfinite(number) and len(found) < MOST:
        found[number] = None


def _targets(name: str, numbers: list[float]) -> Iterator[float]:
    """Yield the numbers at which an operator changes what it does to its operand."""
    yield from KINKS.get(name, ())
    if name in MEETS:
        yield from numbers
    elif name in ("add", "sub", "rsub"):
        yield from ((-number if name == "add" else number) for number in numbers if abs(number) >= OFFSET)


def _stepped(name: str, path: Path, numbers: list[float]) -> Path | None:
    """Return the path behind an operator, or None where it cannot be taken back."""
    if name in SAME or name in MEETS & KEEPS or name in ("relu", "dropout"):
        return path
    if name == "neg":
        return Path(path.input, -path.scale, -path.shift)
    if len(numbers) != 1 or not math.isfinite(number := numbers[0]):
        return None
    match name:
        case "add" | "add_":
            return Path(path.input, path.scale, path.shift + number)
        case "sub" | "sub_":
            return Path(path.input, path.scale, path.shift - number)
        case "rsub":
            return Path(path.input, -path.scale, number - path.shift)
        case "mul" | "mul_" if number:
            return Path(path.input, path.scale * number, path.shift * number)
        case "div" if number:
            return Path(path.input, path.scale / number, path.shift / number)
    return None
