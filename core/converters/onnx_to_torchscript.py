"""ONNX to TorchScript, for mobile and C++ runtimes that still read it."""

from dataclasses import dataclass
from pathlib import Path

from core.domain.transform import Converter, Tolerance, option
from core.onnx import files, metadata


@dataclass(frozen=True)
class TraceOptions:
    """An example's sizes where the file leaves more than the batch free."""

    shapes: str = option(
        "", "Shape of an example without the batch, such as 3x224x224, one per input separated by ';'."
    )


class OnnxToTorchScript(Converter):
    """Rebuilds the graph in torch and traces it; the trace is tried at another batch size before it is kept."""

    title = "ONNX to TorchScript"
    sentence = "Rebuilds an ONNX model in torch and saves its trace (.pt) with the input shapes beside it."
    source, target, suffix = "onnx", "torchscript", ".pt"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    kind = "torch"
    Options = TraceOptions

    def convert(self, source: Path, out: Path, options: TraceOptions) -> None:
        """Rebuild, trace and save. Raises Refused with all operators that torch has not, or the node that stands in the way."""
        from core.train.onnx_torch import build
        from core.train.onnx_torch.export import to_script

        model = files.load(source)
        to_script(build(model), options.shapes, out, metadata.entries(model))


CONVERTER = OnnxToTorchScript()
