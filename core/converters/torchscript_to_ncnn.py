"""TorchScript to ncnn by pnnx, the converter of ncnn's own makers."""

from pathlib import Path

from core.domain.errors import Refused
from core.domain.groups import GROUPS
from core.domain.transform import Converter, Tolerance
from core.libraries import ncnn
from core.libraries.torch import torchscripts
from core.libraries.torch.torchscripts import ShapeOptions


class TorchScriptToNcnn(Converter):
    """Forgets the sizes of the trace, so that one sample at a time fits."""

    title = "TorchScript to ncnn"
    sentence = "Writes a TorchScript file for ncnn, on phones and small boards; one sample at a time."
    source, target, suffix = "torchscript", "ncnn", ".zip"
    tolerance = Tolerance(absolute=5e-4, relative=5e-4)
    Options = ShapeOptions
    group = GROUPS["ncnn"]
    kind = "ncnn"

    def convert(self, source: Path, out: Path, options: ShapeOptions) -> None:
        """Run pnnx on the script. Raises Refused without shapes, or with all operators that ncnn has not."""
        import torch

        module = torchscripts.load(source)
        specs = torchscripts.specs(module, options.shapes)
        torch._C._jit_pass_erase_shape_information(module.forward.graph)
        model = ncnn.work_folder() / "model.pt"
        module.save(str(model))
        rows = ncnn.convert(model, specs)
        if isinstance(rows, Refused):
            raise rows
        ncnn.pack(model, rows, specs, out)


CONVERTER = TorchScriptToNcnn()
