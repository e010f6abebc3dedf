"""Keras 3 models (``.keras``): a configuration in JSON and weights in HDF5, in one zip."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.border import archives
from core.border.archives import Archive
from core.domain.errors import Refused
from core.domain.format import Format, Risk, Summary, Surroundings, Tensor
from core.formats.anatomy import hdf5, keras_config, keras_view
from core.formats.anatomy.findings import JsonObject, info, parse_json

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
AGAIN = "Save the model again with model.save('model.keras')."


class Keras(Format):
    """Takes a model of Keras' own layers; what would bring code or read files is refused by name."""

    title = "Keras (.keras)"
    sentence = "A whole Keras model made of Keras' own layers: configuration and weights, no Python code."
    suffixes = (".keras",)
    runs_in = Surroundings.PYTHON
    lists_tensors = True

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the zip holds a configuration and weights side by side, as Keras saves them."""
        return CONFIG in names and WEIGHTS in names

    def check(self, path: Path) -> Iterator[Risk]:
        """Check the members, every class that the configuration names, and the tree of the weights."""
        with archives.walk(path) as archive:
            others = [
                n for n in archive.names if n not in (CONFIG, METADATA, WEIGHTS) and not archives.JUNK.fullmatch(n)
            ]
            unknown = [n for n in others if not n.startswith("assets/")]
            if unknown:
                raise Refused(f"The file carries {unknown[0][:80]!r}, which Keras does not write.", AGAIN)
            version_of(archive)
            keras_config.check(config_of(archive))
            with weights_of(archive) as file, hdf5.opened(file) as opened:
                hdf5.check(opened)
        if others:
            yield info("The file contains assets; no accepted layer reads them.")

    def inspect(self, path: Path) -> Summary:
        """Read layers and signature from the configuration, and count the weights."""
        with archives.walk(path) as archive:
            version, config = version_of(archive), config_of(archive)
            with weights_of(archive) as file, hdf5.opened(file) as opened:
                return keras_view.summary(self.id, config, version, opened)

    def graph(self, path: Path, out: Path) -> bool:
        """Write the layers as an ONNX-shaped graph, for drawing."""
        with archives.walk(path) as archive:
            return keras_view.draw(config_of(archive), out)

    def tensors(self, path: Path) -> Iterator[Tensor]:
        """Yield the weights."""
        with archives.walk(path) as archive, weights_of(archive) as file, hdf5.opened(file) as opened:
            yield from keras_view.tensors(opened)


def config_of(archive: Archive) -> JsonObject:
    """Return the configuration of the model."""
    return keras_config.parse(archive.read(CONFIG, keras_config.MAX_CONFIG))


def version_of(archive: Archive) -> str:
    """Return the version of Keras that wrote the file, or nothing where it does not say."""
    if METADATA not in archive.members:
        return ""
    found = parse_json(archive.read(METADATA, 1 << 16), METADATA)
    return str(found.get("keras_version", ""))[:40] if isinstance(found, dict) else ""


@contextmanager
def weights_of(archive: Archive) -> Iterator[Path]:
    """Copy the weights to a name of ours for as long as they are read."""
    with tempfile.TemporaryDirectory(prefix="keras-") as folder:
        copy = Path(folder) / WEIGHTS
        archive.copy(WEIGHTS, copy)
        yield copy


FORMAT = Keras()
