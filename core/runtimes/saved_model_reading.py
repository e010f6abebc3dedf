"""OpenVINO's reading of a SavedModel, for machines without TensorFlow: good for a look, no proof of the source."""

from pathlib import Path

from core.domain.runtime import Runtime, Session
from core.libraries import ir_arithmetic, saved_model
from core.runtimes.openvino import IrSession


class SavedModelReading(Runtime):
    """Runs the translation that the converter would write, so that its answers prove nothing about the translation."""

    title = "OpenVINO's reading of a SavedModel"
    sentence = "Runs OpenVINO's reading of a SavedModel where TensorFlow is not installed."
    formats = ("saved_model",)
    packages = ("numpy", "openvino")
    kind = "light"
    secondhand = (
        "TensorFlow is not installed, so the source cannot run (pip install -r requirements-tensorflow.txt); "
        "OpenVINO's reading was compared with itself, which shows only that the file was written completely."
    )

    def open(self, path: Path, format: str) -> Session:
        """Read and compile the model. Raises Refused with the engine's reason when it cannot."""
        model = saved_model.read(path)[0]
        ir_arithmetic.settle(model, ir_arithmetic.FLOATS)
        session = IrSession(model)
        session.secondhand = self.secondhand
        return session


RUNTIME = SavedModelReading()
