"""OpenVINO's reading of a SavedModel, for machines without TensorFlow: good for a look, no proof of the source."""

from pathlib import Path

from core import ir_arithmetic, saved_models
from core.domain.runtime import Runtime, Session
from core.runtimes.openvino import IrSession


class SavedModelReading(Runtime):
    """Runs the translation that the converter would write, so that its answers prove nothing about the translation."""

    title = "OpenVINO's reading of a SavedModel"
    sentence = "Runs what OpenVINO makes of a SavedModel where TensorFlow is not installed."
    formats = ("saved_model",)
    packages = ("numpy", "openvino")
    kind = "light"
    secondhand = (
        "There is no TensorFlow here to run the source (pip install -r requirements-tensorflow.txt); "
        "OpenVINO's reading was compared with itself, which shows that the file was written whole and no more."
    )

    def open(self, path: Path, format: str) -> Session:
        """Read and compile the model. Raises Refused with the engine's reason when it cannot."""
        model = saved_models.read(path)[0]
        ir_arithmetic.settle(model, ir_arithmetic.FLOATS)
        session = IrSession(model)
        session.secondhand = self.secondhand
        return session


RUNTIME = SavedModelReading()
