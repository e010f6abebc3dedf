"""Keras HDF5 (.h5) to ONNX by torch's exporter, without TensorFlow."""

from pathlib import Path

from core.domain.transform import Converter, Tolerance
from core.libraries import keras_files
from core.libraries.keras_files import export


class KerasH5ToOnnx(Converter):
    """Keeps the batch free and the names of inputs and last layers."""

    title = "Keras HDF5 to ONNX"
    sentence = "Writes a Keras model in the older .h5 format as one ONNX file; the batch size stays dynamic, and no TensorFlow is needed."
    source, target, suffix = "keras_h5", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = export.KerasOnnxOptions

    def convert(self, source: Path, out: Path, options: export.KerasOnnxOptions) -> None:
        """Rebuild, export, check and load. Raises Refused with the cause."""
        export.to_onnx(keras_files.load(source, self.source), out, options.opset)


CONVERTER = KerasH5ToOnnx()
