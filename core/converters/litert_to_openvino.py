"""LiteRT to OpenVINO IR by the engine's own reader, without TensorFlow."""

from pathlib import Path

from core.domain.errors import Refused
from core.domain.transform import Converter, Tolerance
from core.formats.anatomy import tflite
from core.libraries import ir, ir_arithmetic
from core.libraries.ir_arithmetic import ArithmeticOptions


class LiteRtToOpenVino(Converter):
    """Reads the flatbuffer with the engine's front end, and keeps the names of its tensors."""

    title = "LiteRT to OpenVINO"
    sentence = "Writes a .tflite file as OpenVINO IR; 8-bit models keep their scales, and answers may differ by one rounding step."
    source, target, suffix = "litert", "openvino", ".zip"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = ArithmeticOptions

    def convert(self, source: Path, out: Path, options: ArithmeticOptions) -> None:
        """Read, write and compile. Raises Refused with all operators that have no rule."""
        inputs, outputs = tflite.signature(tflite.read(source).graphs[0])
        try:
            model = ir.engine().Core().read_model(source)
        except Exception as error:
            step = "Replace them in the source of the model, and convert it again."
            raise ir.refusal(error, ", ".join, step) from None
        if (len(model.inputs), len(model.outputs)) != (len(inputs), len(outputs)):
            raise Refused("OpenVINO drops an input or output of this model.", "Remove what is unused, and try again.")
        ir_arithmetic.settle(model, options.arithmetic)
        ir.write(model, out, [spec.name for spec in inputs], [spec.name for spec in outputs])


CONVERTER = LiteRtToOpenVino()
