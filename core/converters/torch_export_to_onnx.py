"""Exported program (.pt2) to ONNX by torch's own exporter, which needs no class of the model."""

from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused, first_line
from core.domain.transform import Converter, Tolerance, option
from core.domain.unsupported import told
from core.formats.anatomy.torch_files import told_beside
from core.libraries.torch import ExportedProgram, exported_programs, onnx_forms, program_operators
from core.onnx import files, metadata
from core.onnx.typing import ModelProto

NEWEST = 22
"""From 23 on the exporter of torch 2.13 writes operators of that set and declares an older one."""
COMMON_IR = 10
"""What runtimes of the last two years read; newer opsets need more."""


@dataclass(frozen=True)
class ProgramOptions:
    """The operator set to ask for; the exporter may write a newer one, and the file says which."""

    opset: int = option(20, "ONNX operator set to write; 18 to 26.", low=18, high=files.MAX_OPSET)


class TorchExportToOnnx(Converter):
    """Keeps the program's free dimensions, names its inputs as the program does, and embeds the weights."""

    title = "Exported program to ONNX"
    sentence = "Writes a PyTorch model (.pt2) as one ONNX file; dynamic dimensions stay dynamic."
    source, target, suffix = "torch_export", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = ProgramOptions

    def convert(self, source: Path, out: Path, options: ProgramOptions) -> None:
        """Export, check and load. Raises Refused when the exporter knows an operator not, or fixes a free batch."""
        import torch

        program = exported_programs.load(source)
        free = _free_batch(program)
        try:
            with exported_programs.quiet():
                exported = torch.onnx.export(
                    program,
                    dynamo=True,
                    opset_version=min(options.opset, NEWEST),
                    verbose=False,
                    custom_translation_table=onnx_forms.exact(),
                )
        except Exception as error:
            raise _refusal(program, options.opset, error) from None
        if exported is None:
            raise Refused("The exporter wrote no file.", "Try another opset.")
        model = _raised(exported.model_proto, options.opset)
        model.ir_version = max(COMMON_IR, files.lowest_ir(model))
        if free and not files.free_batch(model):
            raise Refused(
                "The exporter fixed the batch size, which is dynamic in the program.",
                "Export it again with torch.export.Dim for the batch.",
            )
        files.name_batch(model)
        metadata.put(model, told_beside(source))
        files.write(model, out)
        files.loads(out)


def _refusal(program: ExportedProgram, opset: int, error: Exception) -> Refused:
    """Say all operators that the exporter does not know, and where they are, or else its reason."""
    found = program_operators.unsupported(program, min(opset, NEWEST))
    if not found:
        return Refused(f"The exporter cannot convert this program: {_cause(error)}", "Try another opset.")
    return Refused(
        f"The exporter has no ONNX form for {told(found)}.",
        "Replace these layers with other torch operators, or move them out of the model, and export it again.",
    )


def _raised(model: ModelProto, opset: int) -> ModelProto:
    """Return the model in a newer opset where the version converter carries it there, else as it is."""
    import onnx

    if files.opset(model) >= opset:
        return model
    try:
        newer = onnx.version_converter.convert_version(model, opset)
        files.check(newer)
    except (RuntimeError, ValueError, onnx.checker.ValidationError, Refused):
        return model
    return newer


def _free_batch(program: ExportedProgram) -> bool:
    """Say whether the first dimension of every tensor input is free."""
    names = set(program.graph_signature.user_inputs)
    shapes = [
        n.meta["val"].shape
        for n in program.graph.nodes
        if n.op == "placeholder" and n.name in names and hasattr(n.meta["val"], "shape")
    ]
    return bool(shapes) and all(len(shape) == 0 or not isinstance(shape[0], int) for shape in shapes)


def _cause(error: Exception) -> str:
    """Return the most telling line of an exporter's error: the last cause's first line."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return first_line(error)


CONVERTER = TorchExportToOnnx()
