"""SavedModels: as OpenVINO reads them, which needs no TensorFlow, and as TensorFlow reads and writes them."""

import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from core.border import archives
from core.domain.artifact import Signature
from core.domain.errors import Refused
from core.formats import saved_model
from core.libraries import ir

CHANGE = "Remove these operators from the model, or export it as ONNX where TensorFlow is installed."


def library() -> Any:
    """Import TensorFlow on one thread, without oneDNN's reordered sums."""
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": ""}
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf


def pack(folder: Path, out: Path) -> None:
    """Write what ``tf.saved_model`` wrote into a folder as one zip, without the fingerprint that is new each time."""
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "fingerprint.pb"):
            archives.add(archive, f"model/{path.relative_to(folder).as_posix()}", path.read_bytes())


def unpacked(path: Path, folder: Path) -> tuple[str, Signature]:
    """Write graph and variables into a folder of ours, and return the serving signature with its key."""
    with archives.walk(path) as archive:
        graph = saved_model.read(archive)
        saved_model.unpack(archive, folder)
    key = graph.serving or ""
    return key, graph.signatures[key]


def read(path: Path) -> tuple[ir.OpenvinoModel, Signature]:
    """Return the engine's model with its ports named as the signature names them, and the signature.

    Raises Refused with all operators that the engine has no rule for, or when it drops an input.
    """
    with tempfile.TemporaryDirectory(prefix="saved-", dir="tmp" if Path("tmp").is_dir() else None) as folder:
        _, signature = unpacked(path, Path(folder))
        try:
            model = ir.engine().Core().read_model(folder)
        except Exception as error:
            names = ", ".join(ir.missing(error))
            reason = f"does not support these operators: {names}" if names else f"refuses: {ir.cause(error)}"
            raise Refused(f"OpenVINO {reason}.", CHANGE) from None
    for ports, specs in ((model.inputs, signature.inputs), (model.outputs, signature.outputs)):
        _name(ports, {spec.name for spec in specs})
    return model, signature


def _name(ports: list[Any], served: set[str]) -> None:
    """Leave each port the one name that the signature gives it. Raises Refused where the two do not fit."""
    if len(ports) != len(served) or any(len(port.get_names() & served) != 1 for port in ports):
        raise Refused("OpenVINO reads other inputs or outputs than those of the model's serving signature.", CHANGE)
    for port in ports:
        port.get_tensor().set_names(port.get_names() & served)
