"""ONNX to a torch exported program: a network that torch can run and train again, without onnx at run time."""

from dataclasses import dataclass
from pathlib import Path

from core.domain.transform import Converter, Tolerance, option
from core.onnx import files, metadata


@dataclass(frozen=True)
class TorchOptions:
    """An example's sizes where the file leaves more than the batch free."""

    shapes: str = option(
        "",
        "Shape of an example without the batch, such as 3x224x224, one per input separated by ';'; "
        "dynamic dimensions of the file stay dynamic.",
    )


class OnnxToTorchExport(Converter):
    """Builds each operator from torch's own; weights become parameters, and free sizes stay free."""

    title = "ONNX to PyTorch (.pt2)"
    sentence = "Rebuilds an ONNX model in torch (.pt2) with trainable weights; the batch size stays dynamic."
    source, target, suffix = "onnx", "torch_export", ".pt2"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    kind = "torch"
    Options = TorchOptions

    def convert(self, source: Path, out: Path, options: TorchOptions) -> None:
        """Rebuild, export and save. Raises Refused with all operators that torch has not, or the node that stands in the way."""
        from core.train.onnx_torch import build
        from core.train.onnx_torch.export import to_program

        model = files.load(source)
        to_program(build(model), options.shapes, out, metadata.entries(model))


CONVERTER = OnnxToTorchExport()
