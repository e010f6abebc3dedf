"""Keras models rebuilt from their configuration, in safe mode, on torch or TensorFlow: what the runtime and the converters share."""

import atexit
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from core.border import archives
from core.domain.errors import Refused, Unavailable, plainly
from core.formats import keras as keras_zip
from core.formats import keras_h5
from core.formats.anatomy import hdf5, keras_config
from core.formats.anatomy.findings import JsonObject
from core.libraries.keras_files import legacy

if TYPE_CHECKING:
    import keras

KerasModel: TypeAlias = "keras.Model"
KerasLayer: TypeAlias = "keras.Layer"
KerasVariable: TypeAlias = "keras.Variable"
KerasTensor: TypeAlias = "keras.KerasTensor"

REBUILD = "Save the model again with Keras 3, or export it as ONNX where its code is installed."


def library(backend: str = "torch") -> Any:
    """Import Keras with torch or TensorFlow behind it, and with a settings folder that is thrown away.

    Raises Unavailable when this process has Keras on another backend already.
    """
    os.environ["KERAS_BACKEND"] = backend
    if "KERAS_HOME" not in os.environ:
        os.environ["KERAS_HOME"] = tempfile.mkdtemp(prefix="keras-")
        atexit.register(shutil.rmtree, os.environ["KERAS_HOME"], ignore_errors=True)
    import keras

    if keras.backend.backend() != backend:
        held = keras.backend.backend()
        raise Unavailable(f"Keras runs on {held} here, not on {backend}.", f"Set KERAS_BACKEND={backend}.")
    return keras


def load(path: Path, format: str, backend: str = "torch") -> KerasModel:
    """Rebuild a model and fill in its weights, without what it was trained with. Raises Refused with the cause.

    The configuration passes the audit's lists once more, so that nothing is built that is not on them.
    """
    keras = library(backend)
    with _configured(path, format) as (config, version, weights):
        keras_config.check(config)
        try:
            with quiet(), keras.device("cpu"):
                return _built(keras, legacy.modern(config, version), weights)
        except Refused:
            raise
        except Exception as error:
            raise Refused(f"Keras cannot rebuild this model: {_cause(error)}", REBUILD) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Keras' and torch's notes to themselves."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for kind in (UserWarning, DeprecationWarning, FutureWarning):
                warnings.filterwarnings("ignore", category=kind)
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _configured(path: Path, format: str) -> Iterator[tuple[JsonObject, str, Path]]:
    """Yield the configuration, the version of Keras that wrote it, and a file with the weights under a name that Keras takes."""
    if format == "keras":
        with archives.walk(path) as archive:
            config, version = keras_zip.config_of(archive), keras_zip.version_of(archive)
            with keras_zip.weights_of(archive) as weights:
                yield config, version, weights
        return
    with hdf5.opened(path) as file:
        config, version = keras_h5.config_of(file), keras_h5.version_of(file)
    with tempfile.TemporaryDirectory(prefix="keras-") as folder:
        copy = Path(folder) / "model.h5"
        shutil.copyfile(path, copy)
        yield config, version, copy


def _built(keras: Any, config: JsonObject, weights: Path) -> KerasModel:
    from keras.src.saving.serialization_lib import ObjectSharingScope

    with ObjectSharingScope():
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    if not getattr(model, "inputs", None):
        raise Refused(
            "The model does not record its inputs: it was saved before it was built.",
            "Give its first layer an Input, and save it again.",
        )
    model.load_weights(weights)
    return model


def _cause(error: Exception) -> str:
    """Return the telling line of an error: Keras puts the configuration in the middle of its own."""
    lines = [line.strip() for line in plainly(str(error)).splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith("Exception encountered")), lines[0] if lines else "")
    return (told.removeprefix("Exception encountered: ") or type(error).__name__)[:300]
