"""Exported program (.pt2) to ncnn by pnnx: traced to TorchScript, or by way of ONNX where the trace keeps operators apart."""

import warnings
from pathlib import Path
from typing import Any

from core.domain.artifact import TensorSpec
from core.domain.errors import Refused, refusing
from core.domain.groups import GROUPS
from core.domain.transform import Converter, NoOptions, Tolerance
from core.libraries import ncnn
from core.libraries.torch import exported_programs
from core.onnx import files

OPSET = 18


class TorchExportToNcnn(Converter):
    """Takes the first of two ways that gives a whole model: recurrent layers need ONNX, attention needs the trace."""

    title = "Exported program to ncnn"
    sentence = "Writes a PyTorch model (.pt2) for ncnn, on phones and small boards; one sample at a time."
    source, target, suffix = "torch_export", "ncnn", ".zip"
    tolerance = Tolerance(absolute=5e-4, relative=5e-4)
    group = GROUPS["ncnn"]
    kind = "ncnn"

    def convert(self, source: Path, out: Path, options: NoOptions) -> None:
        """Trace one sample and run pnnx. Raises Refused with all operators that ncnn has not."""
        program = exported_programs.load(source)
        specs = exported_programs.inputs(program)
        folder = ncnn.work_folder()
        first: Refused | None = None
        for write in (_traced, _exported):
            model = write(program, specs, folder)
            rows = ncnn.convert(model, specs)
            if not isinstance(rows, Refused):
                return ncnn.pack(model, rows, specs, out)
            first = first or rows
        raise first or Refused("pnnx wrote no file.", "Choose another target.")


def _traced(program: Any, specs: list[TensorSpec], folder: Path) -> Path:
    import torch

    examples = exported_programs.examples(specs, ncnn.one_sample(specs))
    with (
        refusing(
            "The program does not run on a single sample",
            "Export it again with a dynamic batch size (torch.export.Dim).",
        ),
        warnings.catch_warnings(),
        torch.no_grad(),
    ):
        warnings.simplefilter("ignore")
        script = torch.jit.trace(program.module(), examples, check_trace=False)  # type: ignore[no-untyped-call]
        script.save(str(folder / "traced.pt"))
    return folder / "traced.pt"


def _exported(program: Any, specs: list[TensorSpec], folder: Path) -> Path:
    import torch

    with refusing("The ONNX exporter cannot convert this program", "Choose another target."), exported_programs.quiet():
        exported = torch.onnx.export(program, dynamo=True, opset_version=OPSET, verbose=False)
    if exported is None:
        raise Refused("The ONNX exporter wrote no file.", "Choose another target.")
    files.write(exported.model_proto, folder / "exported.onnx")
    return folder / "exported.onnx"


CONVERTER = TorchExportToNcnn()
