"""PMML to ONNX, by the common form."""

from pathlib import Path

from core.domain.transform import Converter, NoOptions, Tolerance
from core.onnx import files
from core.scoring import onnx_model, pmml_read


class PmmlToOnnx(Converter):
    """Takes the columns in float64 and answers in float64, trees included; a text that the file calls missing is missing."""

    title = "PMML to ONNX"
    sentence = "Writes every statistical model that is read here as ONNX that computes in float64, as PMML does."
    source, target, suffix = "pmml", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-9, relative=1e-9)

    def convert(self, source: Path, out: Path, options: NoOptions) -> None:
        """Convert, check and load. Raises Refused for what has no reading here, or no ONNX form."""
        files.write(onnx_model.write(pmml_read.read(source)), out)
        files.loads(out)


CONVERTER = PmmlToOnnx()
