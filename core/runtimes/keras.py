"""Keras 3 on torch: the reference for Keras models, so that no TensorFlow is needed."""

from pathlib import Path

from core.domain.runtime import Runtime, Session
from core.libraries import keras_files
from core.libraries.keras_files.session import KerasSession


class KerasRuntime(Runtime):
    """Rebuilds the model in safe mode and runs it on one thread."""

    title = "Keras on PyTorch"
    sentence = "Runs Keras models (.keras and .h5) on the CPU, with torch as the backend."
    formats = ("keras", "keras_h5")
    packages = ("numpy", "keras", "torch", "h5py")
    kind = "torch"

    def open(self, path: Path, format: str) -> Session:
        """Load the file. Raises Refused with the cause when Keras cannot rebuild the model."""
        import torch

        torch.set_num_threads(1)
        return KerasSession(keras_files.load(path, format))


RUNTIME = KerasRuntime()
