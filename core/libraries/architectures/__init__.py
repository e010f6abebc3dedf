"""Networks for files that hold weights alone: named from timm's list, or written in a Python file that its owner lets run.

The Python file runs only in the jailed child. It lies beside the weights under a key of ours, as does all that a child reads.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from core.domain.artifact import TensorSpec
from core.domain.errors import Refused
from core.domain.transform import CODE, option
from core.formats.anatomy.findings import JsonObject
from core.libraries.architectures import named, weights, written
from core.libraries.torch import Module
from core.libraries.torch.torchscripts import parse_shapes

WHICH = (
    "Name the architecture as timm does (architecture=resnet18), or add the Python file that defines it "
    "(command line: --code net.py --consent)."
)


@dataclass(frozen=True)
class ArchitectureOptions:
    """Which network the weights belong to, and what it takes."""

    architecture: str = option("", "A name from timm's list, or a class or function in the Python file.")
    arguments: str = option("", 'Arguments to build the network with, as JSON, such as {"num_classes": 10}.')
    shapes: str = option(
        "", "Input shapes without the batch, such as 3x224x224 or int64:48, one per input separated by ';'."
    )


@dataclass(frozen=True)
class Built:
    """A network with its weights, ready to answer, and what it takes; a shape is None where nobody said it."""

    module: Module
    inputs: tuple[TensorSpec, ...]


def build(path: Path, format: str, options: ArchitectureOptions) -> Built:
    """Make the network and fill in the weights. Raises Refused without an architecture, or with the names that do not fit."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    state = weights.read(path, format)
    arguments = _arguments(options.arguments)
    code = path.with_name(CODE)
    if code.exists():
        module, sizes = written.make(code, options.architecture, arguments), ""
    elif options.architecture:
        module, sizes = named.make(options.architecture, arguments, state)
    else:
        raise Refused("The file contains weights without the network that they belong to.", WHICH)
    weights.fill(module, state, options.architecture or type(module).__name__)
    names = written.inputs(module)
    asked = options.shapes or sizes
    unknown = tuple(TensorSpec(name, "float32", None) for name in names)
    return Built(module.eval(), parse_shapes(asked, names) if asked else unknown)


def _arguments(text: str) -> JsonObject:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refused(
            f"{text[:80]!r} is not a JSON object of arguments.", 'Write JSON, such as arguments={"num_classes": 10}.'
        )
    return value
