"""TensorFlow SavedModel to OpenVINO IR by the engine's own reader, without TensorFlow."""

from pathlib import Path

from core import ir_arithmetic, ir_files, saved_models
from core.domain.transform import Converter, Tolerance
from core.ir_arithmetic import ArithmeticOptions


class SavedModelToOpenVino(Converter):
    """Keeps the names of the serving signature and its free dimensions."""

    title = "SavedModel to OpenVINO"
    sentence = "Writes what a TensorFlow SavedModel serves as OpenVINO IR; proven only where TensorFlow is installed."
    source, target, suffix = "saved_model", "openvino", ".zip"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = ArithmeticOptions

    def convert(self, source: Path, out: Path, options: ArithmeticOptions) -> None:
        """Read, write and compile. Raises Refused with all operators that have no rule."""
        model = saved_models.read(source)[0]
        ir_arithmetic.settle(model, options.arithmetic)
        ir_files.write(model, out)


CONVERTER = SavedModelToOpenVino()
