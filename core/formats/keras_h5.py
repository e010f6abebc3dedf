"""Keras models in one HDF5 file (``.h5``), as Keras 2 saved them and Keras 3 still can."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.errors import Refused
from core.domain.format import Format, Risk, Summary, Surroundings, Tensor
from core.formats.anatomy import hdf5, keras_config, keras_view
from core.formats.anatomy.findings import JsonObject

if TYPE_CHECKING:
    import h5py

CONFIG, WEIGHTS = "model_config", "model_weights"
WHOLE = "Save the whole model with model.save('model.keras'), not only its weights."


class KerasH5(Format):
    """Takes a whole model of Keras' own layers; weights alone and other HDF5 data are told what they are."""

    title = "Keras HDF5 (.h5)"
    sentence = (
        "A whole Keras model in the older single-file format of Keras 2: configuration and weights, no Python code."
    )
    suffixes = (".h5",)
    runs_in = Surroundings.PYTHON
    lists_tensors = True

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the file starts as HDF5 does."""
        return head.startswith(hdf5.MAGIC)

    def check(self, path: Path) -> Iterator[Risk]:
        """Check the tree of the file, and every class that the configuration names."""
        with hdf5.opened(path) as file:
            hdf5.check(file)
            keras_config.check(config_of(file))
        yield from ()

    def inspect(self, path: Path) -> Summary:
        """Read layers and signature from the configuration, and count the weights."""
        with hdf5.opened(path) as file:
            return keras_view.summary(self.id, config_of(file), version_of(file), file)

    def graph(self, path: Path, out: Path) -> bool:
        """Write the layers as an ONNX-shaped graph, for drawing."""
        with hdf5.opened(path) as file:
            return keras_view.draw(config_of(file), out)

    def tensors(self, path: Path) -> Iterator[Tensor]:
        """Yield the weights."""
        with hdf5.opened(path) as file:
            yield from keras_view.tensors(file)


def config_of(file: "h5py.File") -> JsonObject:
    """Return the configuration of the model. Raises Refused when the file holds weights alone, or is no model."""
    text = hdf5.text(file, CONFIG)
    if text is None:
        raise Refused(*_without_config(file))
    if WEIGHTS not in file:
        raise Refused("The file contains a configuration without weights.", WHOLE)
    return keras_config.parse(text)


def version_of(file: "h5py.File") -> str:
    """Return the version of Keras that wrote the file, or nothing where it does not say."""
    return (hdf5.text(file, "keras_version") or "")[:40]


def _without_config(file: "h5py.File") -> tuple[str, str]:
    """Return what a file without a configuration is, and what to do."""
    if "layer_names" in file.attrs or "layers" in file or "_layer_checkpoint_dependencies" in file:
        return "The file contains the weights of a Keras model without its layers.", WHOLE
    return "The file is HDF5 data, but not a Keras model.", "Open the model file itself."


FORMAT = KerasH5()
