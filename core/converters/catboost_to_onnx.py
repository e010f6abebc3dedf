"""CatBoost to ONNX, straight from the file: the library is needed for the proof alone."""

from dataclasses import dataclass
from pathlib import Path

from core.domain.transform import Converter, Tolerance, option
from core.formats.forests import catboost
from core.libraries.fitted import forests
from core.onnx import files
from core.scoring import onnx_model

PRODUCER = "portolan"


@dataclass(frozen=True)
class CatboostOptions:
    """The operator set of the numeric operators; trees are written in ai.onnx.ml 5 (ONNX Runtime 1.20 or newer)."""

    opset: int = option(20, "ONNX operator set to write; 15 to 22.", low=15, high=22)


class CatboostToOnnx(Converter):
    """Takes one table ``X`` of numbers in float32, in which CatBoost itself compares; labels keep their names."""

    title = "CatBoost to ONNX"
    sentence = "Writes trees, missing values, class names and the loss's link function as ONNX; categorical columns are refused."
    source, target, suffix = "catboost", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-5, relative=1e-5)
    Options = CatboostOptions

    def convert(self, source: Path, out: Path, options: CatboostOptions) -> None:
        """Convert, check and load. Raises Refused for columns of categories or text, or a loss whose link is not known."""
        form = forests.table(catboost.forest(source), "float32")
        files.write(onnx_model.write(form, PRODUCER, options.opset, "float32"), out)
        files.loads(out)


CONVERTER = CatboostToOnnx()
