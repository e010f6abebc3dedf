"""A Keras model as a TensorFlow SavedModel, written by Keras on TensorFlow."""

import tempfile
from pathlib import Path

from core.domain.errors import refusing
from core.libraries import keras_files, saved_model


def to_saved_model(source: Path, format: str, out: Path) -> None:
    """Rebuild the model on TensorFlow and write it with its serving signature. Raises Refused with the cause."""
    saved_model.library()
    model = keras_files.load(source, format, "tensorflow")
    with tempfile.TemporaryDirectory(prefix="saved-", dir="tmp" if Path("tmp").is_dir() else None) as folder:
        said = "Keras cannot write this model for TensorFlow", "Convert it to ONNX, or to a torch program."
        with refusing(*said), keras_files.quiet():
            model.export(folder, format="tf_saved_model", verbose=False)
        saved_model.pack(Path(folder), out)
