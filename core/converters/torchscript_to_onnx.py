"""TorchScript to ONNX by the exporter for scripts, which runs the graph once on an example."""

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.errors import Refused, first_line
from core.domain.transform import Converter, Tolerance, option
from core.domain.unsupported import told
from core.formats.anatomy.torch_files import told_beside
from core.libraries.torch import ScriptModule, Tensor, exported_programs, program_operators, torchscripts
from core.libraries.torch.torchscripts import ShapeOptions
from core.onnx import files, metadata

BATCH = 2
"""An example with one row could be taken for a constant."""


@dataclass(frozen=True)
class ScriptOptions(ShapeOptions):
    """The operator set, and the shapes that the file does not keep."""

    opset: int = option(17, "ONNX operator set to write; 9 to 20.", low=9, high=20)


class TorchScriptToOnnx(Converter):
    """Frees the batch of every input and output, and refuses what the exporter cannot express."""

    title = "TorchScript to ONNX"
    sentence = "Writes a TorchScript file as ONNX; needs the input shapes where the file does not imply them."
    source, target, suffix = "torchscript", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = ScriptOptions

    def convert(self, source: Path, out: Path, options: ScriptOptions) -> None:
        """Export on an example, check and load. Raises Refused without shapes, or when an operator has no ONNX form."""

        module = torchscripts.load(source)
        specs = torchscripts.specs(module, options.shapes)
        examples = exported_programs.examples(
            specs, [(BATCH, *(int(dim or 1) for dim in (spec.shape or ())[1:])) for spec in specs]
        )
        _export(module, examples, tuple(spec.name for spec in specs), out, options.opset)
        model = files.load(out)
        if not files.free_batch(model):
            raise Refused(
                "The exporter fixed the batch size.",
                "Export the model with torch.export (.pt2) and a dynamic batch size.",
            )
        metadata.put(model, told_beside(source))
        files.write(model, out)
        files.loads(out)


def _log_sigmoid(graph: Any, x: Any) -> Any:
    """Write the logarithm of a sigmoid by Softplus: the exporter's own, Log of Sigmoid, is minus infinity from -104 down."""
    return graph.op("Neg", graph.op("Softplus", graph.op("Neg", x)))


def _export(
    module: ScriptModule,
    examples: tuple[Tensor, ...],
    names: tuple[str, ...],
    out: Path,
    opset: int,
) -> None:
    import torch
    from torch.utils import _pytree

    torch.onnx.register_custom_op_symbolic("aten::log_sigmoid", _log_sigmoid, 9)  # type: ignore[attr-defined]
    leaves = _pytree.tree_leaves(torchscripts.called(module, examples))
    outputs = [f"output_{place}" for place in range(sum(isinstance(leaf, torch.Tensor) for leaf in leaves))]
    free = {name: {0: "batch"} for name in (*names, *outputs)}
    try:
        with warnings.catch_warnings():
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=UserWarning)
            torch.onnx.export(
                module, examples, str(out), dynamo=False, opset_version=opset, input_names=list(names),
                output_names=outputs, dynamic_axes=free,
            )  # fmt: skip
    except Exception as error:
        unknown = isinstance(error, torch.onnx.errors.UnsupportedOperatorError)
        if found := program_operators.unsupported_script(module, opset) if unknown else []:
            raise Refused(
                f"The exporter has no ONNX form at opset {opset} for {told(found)}.",
                "Try a higher opset, replace these layers with other torch operators, or export the model with torch.export (.pt2).",
            ) from None
        raise Refused(
            f"The exporter cannot convert this script: {first_line(error)}",
            "Check the shapes, try a higher opset, or export the model with torch.export (.pt2).",
        ) from None


CONVERTER = TorchScriptToOnnx()
