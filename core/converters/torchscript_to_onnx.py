"""TorchScript to ONNX by the exporter for scripts, which runs the graph once on an example."""

import logging
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import onnx_files, program_operators, torchscripts
from core.domain.errors import Refused
from core.domain.transform import Converter, Tolerance
from core.domain.unsupported import told

BATCH = 2
"""An example with one row could be taken for a constant."""


@dataclass(frozen=True)
class ScriptOptions:
    """The operator set, and the shapes that the file does not keep."""

    opset: int = field(default=17, metadata={"help": "ONNX operator set to write; 9 to 20.", "low": 9, "high": 20})
    shapes: str = field(
        default="",
        metadata={
            "help": "Input shapes without the batch, such as 1x28x28 or int64:48, one per input with ';' between them."
        },
    )


class TorchScriptToOnnx(Converter):
    """Frees the batch of every input and output, and refuses what the exporter cannot express."""

    title = "TorchScript to ONNX"
    sentence = "Writes a TorchScript file as ONNX; needs the input shapes where the file does not betray them."
    source, target, suffix = "torchscript", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = ScriptOptions

    def convert(self, source: Path, out: Path, options: ScriptOptions) -> None:
        """Export on an example, check and load. Raises Refused without shapes, or when an operator has no ONNX form."""

        module = torchscripts.load(source)
        names = torchscripts.input_names(module)
        specs = (
            torchscripts.parse_shapes(options.shapes, names) if options.shapes else torchscripts.guess(module, names)
        )
        if specs is None:
            raise Refused(
                f"TorchScript does not keep the shapes of its inputs ({', '.join(names)}).", torchscripts.EXAMPLE
            )
        examples = tuple(_example(spec) for spec in specs)
        _export(module, examples, names, out, options.opset)
        model = onnx_files.load(out)
        if not onnx_files.free_batch(model):
            raise Refused(
                "The exporter fixed the batch size.", "Export the model with torch.export (.pt2) and a free batch."
            )
        onnx_files.write(model, out)
        onnx_files.loads(out)


def _example(spec: Any) -> Any:
    import torch

    kind = getattr(torch, spec.dtype)
    shape = (BATCH, *spec.shape[1:])
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(shape, generator=generator).to(kind) if kind.is_floating_point else torch.zeros(shape, dtype=kind)
    )


def _export(module: Any, examples: tuple[Any, ...], names: tuple[str, ...], out: Path, opset: int) -> None:
    import torch

    outputs = [f"output_{place}" for place in range(_count(module, examples))]
    free = {name: {0: "batch"} for name in (*names, *outputs)}
    try:
        with warnings.catch_warnings():
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=UserWarning)
            torch.onnx.export(
                module,
                examples,
                str(out),
                dynamo=False,
                opset_version=opset,
                input_names=list(names),
                output_names=outputs,
                dynamic_axes=free,
            )
    except Exception as error:
        unknown = isinstance(error, torch.onnx.errors.UnsupportedOperatorError)
        if found := program_operators.unsupported_script(module, opset) if unknown else []:
            raise Refused(
                f"The exporter has no ONNX form at opset {opset} for {told(found)}.",
                "Try a higher opset, write these layers with other operators of torch, or export the model with torch.export (.pt2).",
            ) from None
        raise Refused(
            f"The exporter refuses this script: {onnx_files.first_line(error)}",
            "Check the shapes, try a higher opset, or export the model with torch.export (.pt2).",
        ) from None


def _count(module: Any, examples: tuple[Any, ...]) -> int:
    """Run the script once on the example and count its output tensors. Raises Refused when it does not take the shapes."""
    import torch
    from torch.utils import _pytree

    try:
        with torch.no_grad():
            return sum(isinstance(leaf, torch.Tensor) for leaf in _pytree.tree_leaves(module(*examples)))
    except Exception as error:
        shapes = ", ".join("x".join(map(str, example.shape)) for example in examples)
        lines = [line for line in str(error).splitlines() if "Error" in line] or [onnx_files.first_line(error)]
        raise Refused(
            f"The network does not take inputs of {shapes}: {lines[-1][:250]}", torchscripts.EXAMPLE
        ) from None


CONVERTER = TorchScriptToOnnx()
