"""XGBoost to ONNX, straight from the file: the library is not needed."""

from dataclasses import dataclass
from pathlib import Path

from core.domain.transform import Converter, Tolerance, option
from core.formats.forests import xgboost
from core.libraries.fitted import forests
from core.onnx import files
from core.scoring import onnx_model

PRODUCER = "portolan"


@dataclass(frozen=True)
class XgboostOptions:
    """The operator set of the numeric operators; trees are written in ai.onnx.ml 5 (ONNX Runtime 1.20 or newer)."""

    opset: int = option(20, "ONNX operator set to write; 15 to 22.", low=15, high=22)


class XgboostToOnnx(Converter):
    """Takes one table ``X`` in float32, in which XGBoost itself compares: samples on a threshold go the same way."""

    title = "XGBoost to ONNX"
    sentence = (
        "Writes trees, categories, missing values and the objective's link function as ONNX; also for dart boosters."
    )
    source, target, suffix = "xgboost", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-5, relative=1e-5)
    Options = XgboostOptions

    def convert(self, source: Path, out: Path, options: XgboostOptions) -> None:
        """Convert, check and load. Raises Refused for an objective whose link is not known, or a booster without trees."""
        form = forests.table(xgboost.forest(source), "float32")
        files.write(onnx_model.write(form, PRODUCER, options.opset, "float32"), out)
        files.loads(out)


CONVERTER = XgboostToOnnx()
