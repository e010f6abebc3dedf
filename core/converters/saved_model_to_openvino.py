"""TensorFlow SavedModel to OpenVINO IR by the engine's own reader, without TensorFlow."""

from pathlib import Path

from core.domain.transform import Converter, Tolerance
from core.libraries import ir, ir_arithmetic, saved_model
from core.libraries.ir_arithmetic import ArithmeticOptions


class SavedModelToOpenVino(Converter):
    """Keeps the names of the serving signature and its free dimensions."""

    title = "SavedModel to OpenVINO"
    sentence = "Writes the serving signature of a TensorFlow SavedModel as OpenVINO IR; proven only where TensorFlow is installed."
    source, target, suffix = "saved_model", "openvino", ".zip"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = ArithmeticOptions

    def convert(self, source: Path, out: Path, options: ArithmeticOptions) -> None:
        """Read, write and compile. Raises Refused with all operators that have no rule."""
        model = saved_model.read(source)[0]
        ir_arithmetic.settle(model, options.arithmetic)
        ir.write(model, out)


CONVERTER = SavedModelToOpenVino()
