"""LightGBM to ONNX, straight from the file: the library is not needed."""

from dataclasses import dataclass
from pathlib import Path

from core.domain.transform import Converter, Tolerance, option
from core.formats.forests import lightgbm
from core.libraries.fitted import forests
from core.libraries.fitted.forests import OnnxOptions


@dataclass(frozen=True)
class LightgbmOptions(OnnxOptions):
    """The operator set, and the type of the table that comes in."""

    precision: str = option(
        "float64",
        "Type of the table: float64 compares as LightGBM does; a sample that is rounded to float32 may cross a threshold.",
        choices=("float64", "float32"),
    )


class LightgbmToOnnx(Converter):
    """Takes one table ``X``; leaves are added up in float64, and the answers come out as float32."""

    title = "LightGBM to ONNX"
    sentence = (
        "Writes trees, categories, missing values and the objective's link function as ONNX, with float64 thresholds."
    )
    source, target, suffix = "lightgbm", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-5, relative=1e-5)
    Options = LightgbmOptions

    def convert(self, source: Path, out: Path, options: LightgbmOptions) -> None:
        """Convert, check and load. Raises Refused for an objective whose link is not known."""
        forests.to_onnx(lightgbm.forest(source), out, options.opset, options.precision)


CONVERTER = LightgbmToOnnx()
