"""TensorFlow SavedModel to OpenVINO IR by the engine's own reader, without TensorFlow."""

from pathlib import Path

from core.domain.transform import Converter, NoOptions, Tolerance
from core.libraries import ir, saved_model


class SavedModelToOpenVino(Converter):
    """Keeps the names of the serving signature and its free dimensions."""

    title = "SavedModel to OpenVINO"
    sentence = "Writes the serving signature of a TensorFlow SavedModel as OpenVINO IR; proven only where TensorFlow is installed."
    source, target, suffix = "saved_model", "openvino", ".zip"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)

    def convert(self, source: Path, out: Path, options: NoOptions) -> None:
        """Read, write and compile. Raises Refused with all operators that have no rule."""
        ir.write(saved_model.read(source)[0], out)


CONVERTER = SavedModelToOpenVino()
