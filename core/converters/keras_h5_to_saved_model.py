"""Keras HDF5 (.h5) to a TensorFlow SavedModel, by Keras on TensorFlow."""

from pathlib import Path

from core.domain.groups import GROUPS
from core.domain.transform import Converter, NoOptions, Tolerance


class KerasH5ToSavedModel(Converter):
    """Rebuilds the model on TensorFlow; the source is asked on torch, so that two engines agree before it passes."""

    title = "Keras HDF5 to SavedModel"
    sentence = (
        "Writes a Keras model in the older .h5 format as a TensorFlow SavedModel with its serving signature, in a zip."
    )
    source, target, suffix = "keras_h5", "saved_model", ".zip"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    kind = "light"
    group = GROUPS["tensorflow"]

    def convert(self, source: Path, out: Path, options: NoOptions) -> None:
        """Rebuild, export and pack. Raises Refused with the cause."""
        from core.libraries.keras_files import saved

        saved.to_saved_model(source, self.source, out)


CONVERTER = KerasH5ToSavedModel()
