"""LightGBM to ONNX, straight from the file: the library is not needed."""

from dataclasses import dataclass, field
from pathlib import Path

from core.classic import forest_onnx
from core.domain.transform import Converter, Tolerance
from core.formats.forests import lightgbm
from core.onnx import files


@dataclass(frozen=True)
class LightgbmOptions:
    """The operator set, and the type in which thresholds are compared."""

    opset: int = field(default=20, metadata={"help": "ONNX operator set to write; 15 to 22.", "low": 15, "high": 22})
    precision: str = field(
        default="float64",
        metadata={
            "help": "float64 compares as LightGBM does; float32 takes half the space, and samples within rounding of a threshold may fall on the other side.",
            "choices": ("float64", "float32"),
        },
    )


class LightgbmToOnnx(Converter):
    """Takes one table ``X``; sums of leaves come out as float32, whatever the thresholds are."""

    title = "LightGBM to ONNX"
    sentence = (
        "Writes trees, categories, missing values and the objective's link function as ONNX, with float64 thresholds."
    )
    source, target, suffix = "lightgbm", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-5, relative=1e-5)
    Options = LightgbmOptions

    def convert(self, source: Path, out: Path, options: LightgbmOptions) -> None:
        """Convert, check and load. Raises Refused for an objective whose link is not known."""
        files.write(forest_onnx.model(lightgbm.forest(source), options.opset, options.precision), out)
        files.loads(out)


CONVERTER = LightgbmToOnnx()
