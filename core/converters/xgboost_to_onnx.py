"""XGBoost to ONNX, straight from the file: the library is not needed."""

from pathlib import Path

from core.domain.transform import Converter, Tolerance
from core.formats.forests import xgboost
from core.libraries.fitted import forests
from core.libraries.fitted.forests import OnnxOptions


class XgboostToOnnx(Converter):
    """Takes one table ``X`` in float32, in which XGBoost itself compares: samples on a threshold go the same way."""

    title = "XGBoost to ONNX"
    sentence = (
        "Writes trees, categories, missing values and the objective's link function as ONNX; also for dart boosters."
    )
    source, target, suffix = "xgboost", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-5, relative=1e-5)
    Options = OnnxOptions

    def convert(self, source: Path, out: Path, options: OnnxOptions) -> None:
        """Convert, check and load. Raises Refused for an objective whose link is not known, or a booster without trees."""
        forests.to_onnx(xgboost.forest(source), out, options.opset)


CONVERTER = XgboostToOnnx()
