"""TorchScript to OpenVINO IR by the engine's own reader of torch graphs: it takes scripts that the ONNX exporter refuses."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import ir_files, torchscripts
from core.domain.artifact import TensorSpec
from core.domain.errors import Refused
from core.domain.transform import Converter, Tolerance

BATCH = 2
"""An example with one row could be taken for a constant."""


@dataclass(frozen=True)
class ShapeOptions:
    """The shapes that the file does not keep."""

    shapes: str = field(
        default="",
        metadata={
            "help": "Input shapes without the batch, such as 1x28x28 or int64:48, one per input with ';' between them."
        },
    )


class TorchScriptToOpenVino(Converter):
    """Traces the types on an example, frees the batch of every input, and refuses what the engine has no rule for."""

    title = "TorchScript to OpenVINO"
    sentence = "Writes a TorchScript file as OpenVINO IR; needs the input shapes where the file does not betray them."
    source, target, suffix = "torchscript", "openvino", ".zip"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = ShapeOptions

    def convert(self, source: Path, out: Path, options: ShapeOptions) -> None:
        """Convert on an example, write and compile. Raises Refused without shapes, or with all operators that have no rule."""
        module = torchscripts.load(source)
        names = torchscripts.input_names(module)
        specs = (
            torchscripts.parse_shapes(options.shapes, names) if options.shapes else torchscripts.guess(module, names)
        )
        if specs is None:
            raise Refused(
                f"TorchScript does not keep the shapes of its inputs ({', '.join(names)}).", torchscripts.EXAMPLE
            )
        model = _converted(module, specs)
        _free_batch(model, specs)
        ir_files.write(model, out, names, [f"output_{place}" for place in range(len(model.outputs))])


def _converted(module: Any, specs: tuple[TensorSpec, ...]) -> Any:
    examples = tuple(_example(spec) for spec in specs)
    _check_takes(module, examples)
    openvino = ir_files.engine()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return openvino.convert_model(module, example_input=examples)
    except Exception as error:
        step = "Replace them in the network by other operators of torch, or convert to ONNX first."
        raise ir_files.refusal(error, ", ".join, step) from None


def _example(spec: TensorSpec) -> Any:
    import torch

    kind, shape = getattr(torch, spec.dtype), (BATCH, *(int(dim or 1) for dim in (spec.shape or ())[1:]))
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(shape, generator=generator).to(kind) if kind.is_floating_point else torch.zeros(shape, dtype=kind)
    )


def _check_takes(module: Any, examples: tuple[Any, ...]) -> None:
    """Refuse shapes that the network itself refuses."""
    import torch

    try:
        with torch.no_grad():
            module(*examples)
    except Exception as error:
        shapes = ", ".join("x".join(map(str, example.shape)) for example in examples)
        lines = [line for line in str(error).splitlines() if "Error" in line] or [ir_files.cause(error)]
        raise Refused(
            f"The network does not take inputs of {shapes}: {lines[-1][:250]}", torchscripts.EXAMPLE
        ) from None


def _free_batch(model: Any, specs: tuple[TensorSpec, ...]) -> None:
    """Set every input to its shape with a free batch. Raises Refused where an output would keep the example's batch."""
    if len(model.inputs) != len(specs):
        raise Refused("OpenVINO drops an input of this script.", "Remove the unused input from the network.")
    shapes = [ir_files.engine().PartialShape([-1, *(spec.shape or ())[1:]]) for spec in specs]
    try:
        model.reshape(dict(enumerate(shapes)))
    except Exception as error:
        raise Refused(
            f"The script does not take a free batch: {ir_files.cause(error)}", "Trace the model with a free batch."
        ) from None


CONVERTER = TorchScriptToOpenVino()
