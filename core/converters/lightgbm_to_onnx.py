"""LightGBM to ONNX, straight from the file: the library is not needed."""

from dataclasses import dataclass
from pathlib import Path

from core.domain.transform import Converter, Tolerance, option
from core.formats.forests import lightgbm
from core.libraries.fitted import forests
from core.onnx import files
from core.scoring import onnx_model

PRODUCER = "portolan"


@dataclass(frozen=True)
class LightgbmOptions:
    """The operator set, and the type of the table that comes in."""

    opset: int = option(20, "ONNX operator set to write; 15 to 22.", low=15, high=22)
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
        form = forests.table(lightgbm.forest(source), options.precision)
        files.write(onnx_model.write(form, PRODUCER, options.opset, "float32"), out)
        files.loads(out)


CONVERTER = LightgbmToOnnx()
