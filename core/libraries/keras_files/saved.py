"""A Keras model as a TensorFlow SavedModel, written by Keras on TensorFlow."""

import tempfile
from pathlib import Path

from core.domain.errors import Refused
from core.libraries import keras_files, saved_model
from core.onnx.files import first_line


def to_saved_model(source: Path, format: str, out: Path) -> None:
    """Rebuild the model on TensorFlow and write it with its serving signature. Raises Refused with the cause."""
    saved_model.library()
    model = keras_files.load(source, format, "tensorflow")
    with tempfile.TemporaryDirectory(prefix="saved-", dir="tmp" if Path("tmp").is_dir() else None) as folder:
        try:
            with keras_files.quiet():
                model.export(folder, format="tf_saved_model", verbose=False)
        except Exception as error:
            raise Refused(
                f"Keras cannot write this model for TensorFlow: {first_line(error)}",
                "Convert it to ONNX, or to a torch program.",
            ) from None
        saved_model.pack(Path(folder), out)
