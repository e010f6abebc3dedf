"""TorchScript to ncnn by pnnx, the converter of ncnn's own makers."""

from dataclasses import dataclass, field
from pathlib import Path

from core import ncnn_files, torchscripts
from core.domain.errors import Refused
from core.domain.transform import Converter, Tolerance
from core.groups import GROUPS


@dataclass(frozen=True)
class NcnnScriptOptions:
    """The shapes that the file does not keep."""

    shapes: str = field(
        default="",
        metadata={
            "help": "Input shapes without the batch, such as 1x28x28 or int64:48, one per input with ';' between them."
        },
    )


class TorchScriptToNcnn(Converter):
    """Forgets the sizes of the trace, so that one sample at a time fits."""

    title = "TorchScript to ncnn"
    sentence = "Writes a TorchScript file for ncnn, on phones and small boards; one sample at a time."
    source, target, suffix = "torchscript", "ncnn", ".zip"
    tolerance = Tolerance(absolute=5e-4, relative=5e-4)
    Options = NcnnScriptOptions
    group = GROUPS["ncnn"]
    kind = "ncnn"

    def convert(self, source: Path, out: Path, options: NcnnScriptOptions) -> None:
        """Run pnnx on the script. Raises Refused without shapes, or with all operators that ncnn has not."""
        import torch

        module = torchscripts.load(source)
        names = torchscripts.input_names(module)
        given = torchscripts.parse_shapes(options.shapes, names) if options.shapes else None
        specs = given or torchscripts.guess(module, names)
        if specs is None:
            raise Refused(
                f"TorchScript does not keep the shapes of its inputs ({', '.join(names)}).", torchscripts.EXAMPLE
            )
        torch._C._jit_pass_erase_shape_information(module.forward.graph)
        model = ncnn_files.work_folder() / "model.pt"
        module.save(str(model))
        rows = ncnn_files.convert(model, specs)
        if isinstance(rows, Refused):
            raise rows
        ncnn_files.pack(model, rows, specs, out)


CONVERTER = TorchScriptToNcnn()
