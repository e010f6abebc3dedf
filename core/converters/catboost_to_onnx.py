"""CatBoost to ONNX, straight from the file: the library is needed for the proof alone."""

from pathlib import Path

from core.domain.transform import Converter, Tolerance
from core.formats.forests import catboost
from core.libraries.fitted import forests
from core.libraries.fitted.forests import OnnxOptions


class CatboostToOnnx(Converter):
    """Takes one table ``X`` of numbers in float32, in which CatBoost itself compares; labels keep their names."""

    title = "CatBoost to ONNX"
    sentence = "Writes trees, missing values, class names and the loss's link function as ONNX; categorical columns are refused."
    source, target, suffix = "catboost", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-5, relative=1e-5)
    Options = OnnxOptions

    def convert(self, source: Path, out: Path, options: OnnxOptions) -> None:
        """Convert, check and load. Raises Refused for columns of categories or text, or a loss whose link is not known."""
        forests.to_onnx(catboost.forest(source), out, options.opset)


CONVERTER = CatboostToOnnx()
