"""TensorFlow on the CPU, an optional group: the reference for SavedModels."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from core.domain.artifact import Signature
from core.domain.errors import Refused, refusing
from core.domain.groups import GROUPS
from core.domain.runtime import UNKNOWN_INTEGER, Domain, Runtime, Session
from core.libraries import saved_model
from core.runtimes.openvino import IrSession


class TensorFlow(Runtime):
    """Runs the serving signature on one thread, without oneDNN's reordered sums."""

    title = "TensorFlow"
    sentence = "Runs TensorFlow SavedModels on the CPU."
    formats = ("saved_model",)
    packages = ("numpy", "tensorflow-cpu")
    kind = "light"
    group = GROUPS["tensorflow"]

    def open(self, path: Path, format: str) -> Session:
        """Load the model with TensorFlow. Raises Refused with the cause when it cannot."""
        tf = saved_model.library()
        with tempfile.TemporaryDirectory(prefix="saved-", dir="tmp" if Path("tmp").is_dir() else None) as folder:
            key, signature = saved_model.unpacked(path, Path(folder))
            with refusing("TensorFlow cannot load this SavedModel", "Save the model again."):
                return ServingSession(tf.saved_model.load(folder), key, signature, _domains(path, signature))


class ServingSession(Session):
    """A serving signature, called with its tensors by name."""

    def __init__(self, model: Any, key: str, signature: Signature, domains: dict[str, Domain]) -> None:
        self._model, self._call = model, model.signatures[key]
        self.signature, self.domains = signature, domains

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Call the signature and return its outputs in the order of the file."""
        import tensorflow as tf

        answer = self._call(**{spec.name: tf.constant(inputs[spec.name]) for spec in self.signature.inputs})
        return {spec.name: np.asarray(answer[spec.name]) for spec in self.signature.outputs}


def _domains(path: Path, signature: Signature) -> dict[str, Domain]:
    """Return the kinds of value that the inputs take; how long the tables of ids are is seen in OpenVINO's reading."""
    try:
        return IrSession(saved_model.read(path)[0]).domains
    except Refused:
        floats = {spec.name: "float" in spec.dtype for spec in signature.inputs}
        return {name: Domain() if is_float else UNKNOWN_INTEGER for name, is_float in floats.items()}


RUNTIME = TensorFlow()
