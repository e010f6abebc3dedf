"""Keras HDF5 (.h5) to an exported torch program, which can be run and tuned without Keras."""

from pathlib import Path

from core.domain.transform import Converter, NoOptions, Tolerance
from core.libraries import keras_files
from core.libraries.keras_files import export


class KerasH5ToTorchExport(Converter):
    """Saves what torch's exporter makes of the model."""

    title = "Keras HDF5 to PyTorch (.pt2)"
    sentence = "Writes a Keras model in the older .h5 format as a torch program (.pt2) that runs without Keras; the batch size stays dynamic."
    source, target, suffix = "keras_h5", "torch_export", ".pt2"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)

    def convert(self, source: Path, out: Path, options: NoOptions) -> None:
        """Rebuild, export and save. Raises Refused with the cause."""
        export.to_program(keras_files.load(source, self.source), out)


CONVERTER = KerasH5ToTorchExport()
