"""ONNX with its weights in files of their own to one ONNX file."""

from pathlib import Path

from core.domain.transform import Converter, NoOptions, Tolerance
from core.onnx import files


class OnnxExternalToOnnx(Converter):
    """Reads the zip's model with its data files and embeds the weights."""

    title = "External data to one ONNX file"
    sentence = "Joins an ONNX model and its weight files into one file of at most 2 GB."
    source, target, suffix = "onnx_external", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-6, relative=1e-6)

    def convert(self, source: Path, out: Path, options: NoOptions) -> None:
        """Join, check and load. Raises Refused when a data file is missing or the result is over 2 GB."""
        model = files.load(files.unpacked(source))
        files.write(model, out)
        files.loads(out)


CONVERTER = OnnxExternalToOnnx()
