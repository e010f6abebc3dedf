"""What a TorchScript file can and cannot say about its inputs: it names them, and it keeps neither their shape nor their type."""

import math
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.border import archives
from core.domain.artifact import TensorSpec
from core.domain.errors import Refused, first_line, plainly
from core.domain.transform import option
from core.formats.anatomy import script_signature, torch_files
from core.libraries.torch import ScriptModule, ScriptNode, Tensor

EXAMPLE = (
    "Give shapes without the batch, such as 1x28x28 or int64:48, one per input separated by ';', or add a data set."
)
TYPES = r"float64|float32|float16|bfloat16|u?int(?:8|16|32|64)|bool"
ITEM = re.compile(rf"(?:({TYPES}):)?((?:\d{{1,6}}(?:x\d{{1,6}}){{0,7}})?)")
SIDES = (28, 32, 64, 96, 128, 224, 299)
"""Picture sizes that are tried on a network that starts with a convolution."""
MAX_ELEMENTS = 2**26


@dataclass(frozen=True)
class ShapeOptions:
    """The shapes that the file does not keep."""

    shapes: str = option(
        "", "Input shapes without the batch, such as 1x28x28 or int64:48, one per input separated by ';'."
    )


def load(path: Path) -> Any:
    """Load a script module for inference on the CPU. Raises Refused with the cause."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"`torch\.jit\.", category=DeprecationWarning)
            module: Any = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
            return module.eval()
    except (RuntimeError, ValueError, OSError) as error:
        raise Refused(f"torch cannot load this TorchScript file: {first_line(error)[:300]}", "Save it again.") from None


def kept_inputs(path: Path) -> tuple[TensorSpec, ...]:
    """Return the inputs that Portolan wrote beside a script, or none."""
    try:
        with archives.walk(path) as archive:
            found = script_signature.read(archive, torch_files.prefix(archive))
    except Refused:
        return ()
    return found.inputs if found else ()


def input_names(module: Any) -> tuple[str, ...]:
    """Return the names of the arguments of ``forward``. Raises Refused when one is not a tensor."""
    arguments = module.forward.schema.arguments[1:]
    for argument in arguments:
        if str(argument.type) != "Tensor":
            raise Refused(
                f"The input {argument.name!r} is {argument.type}, not a tensor.", "Trace the model with plain tensors."
            )
    return tuple(argument.name for argument in arguments)


def specs(module: ScriptModule, text: str) -> tuple[TensorSpec, ...]:
    """Return the inputs with the shapes that the owner gives, else those that the script betrays. Raises Refused where neither says them."""
    names = input_names(module)
    found = parse_shapes(text, names) if text else guess(module, names)
    if found is None:
        raise Refused(f"TorchScript does not keep the shapes of its inputs ({', '.join(names)}).", EXAMPLE)
    return found


def called(module: ScriptModule, examples: tuple[Tensor, ...]) -> object:
    """Run the script once and return its answer. Raises Refused when it does not take inputs of these shapes."""
    import torch

    try:
        with torch.no_grad():
            return module(*examples)
    except Exception as error:
        shapes = ", ".join("x".join(map(str, example.shape)) for example in examples)
        told = plainly(str(error)).splitlines() or [""]
        lines = [line for line in told if "Error" in line] or told
        raise Refused(f"The network does not accept inputs of {shapes}: {lines[-1][:250]}", EXAMPLE) from None


def parse_shapes(text: str, names: tuple[str, ...]) -> tuple[TensorSpec, ...]:
    """Turn ``1x28x28;int64:48`` into one spec per input with a free batch in front.

    Raises Refused when the text is not of this form, or has another number of inputs.
    """
    items = [item.strip() for item in text.split(";")]
    matches = [ITEM.fullmatch(item) for item in items]
    if len(items) != len(names) or not all(matches):
        raise Refused(f"{text!r} does not describe the inputs {', '.join(names)}.", EXAMPLE)
    return tuple(_spec(name, match) for name, match in zip(names, matches, strict=True) if match)


def shapes_text(specs: tuple[TensorSpec, ...]) -> str:
    """Write specs as ``parse_shapes`` reads them; empty when a dimension behind the batch is unknown, or an input takes text."""
    fixed = all(spec.shape is not None and all(isinstance(dim, int) for dim in spec.shape[1:]) for spec in specs)
    if not fixed or not all(re.fullmatch(TYPES, spec.dtype) for spec in specs):
        return ""
    return ";".join(f"{spec.dtype}:" + "x".join(str(dim) for dim in (spec.shape or ())[1:]) for spec in specs)


def guess(module: ScriptModule, names: tuple[str, ...]) -> tuple[TensorSpec, ...] | None:
    """Return the one input shape that the network takes, or None when none or several would do.

    A convolution tells channels, a linear layer tells features; a picture's size is found by trying. Networks that
    take any size stay unknown, because the shape would be fixed in what is exported.
    """
    if len(names) != 1 or id_bound(module) is not None:
        return None
    accepted = [dims for dims in _candidates(module) if _takes(module, dims)]
    return (TensorSpec(names[0], "float32", ("batch", *accepted[0])),) if len(accepted) == 1 else None


def id_bound(module: Any) -> int | None:
    """Return the rows of the smallest table that the network looks ids up in, or None without one."""
    graph = module.inlined_graph
    weights = [_attribute(module, node.inputsAt(0).node()) for node in graph.findAllNodes("aten::embedding")]
    return min((weight.shape[0] for weight in weights if weight is not None), default=None)


def _spec(name: str, match: re.Match[str]) -> TensorSpec:
    dims = tuple(int(dim) for dim in match[2].split("x") if dim)
    if not 0 < math.prod(dims) <= MAX_ELEMENTS:
        raise Refused(f"The shape {match[2]} of {name!r} must have between 1 and {MAX_ELEMENTS} elements.", EXAMPLE)
    return TensorSpec(name, match[1] or "float32", ("batch", *dims))


def _attribute(module: ScriptModule, node: ScriptNode) -> "Tensor | None":
    """Follow a chain of GetAttr nodes to the weight that it names."""
    path: list[str] = []
    while node.kind() == "prim::GetAttr":
        path.append(node.s("name"))
        node = node.inputsAt(0).node()
    value: Any = module
    for name in reversed(path):
        value = getattr(value, name, None)
    return value if path else None


def _candidates(module: ScriptModule) -> list[tuple[int, ...]]:
    weight = next((p for p in module.parameters() if p.dim() > 1), None)
    if weight is None:
        return []
    channels = weight.shape[1]
    pictures: list[tuple[int, ...]] = [(channels, side, side) for side in SIDES]
    return [(channels,)] if weight.dim() == 2 else pictures if weight.dim() == 4 else []


def _takes(module: ScriptModule, dims: tuple[int, ...]) -> bool:
    import torch
    from torch.utils import _pytree

    try:
        with torch.no_grad():
            firsts = [_pytree.tree_leaves(module(torch.zeros(batch, *dims)))[0].shape[0] for batch in (1, 3)]
    except (RuntimeError, AttributeError, IndexError):
        return False
    return firsts == [1, 3]
