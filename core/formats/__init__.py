"""The shelf of formats: each recognises its files by content, audits them against allow-lists, and reads what they say.

The order is that in which they are asked. Recognising needs 64 KiB and the names in a zip; nothing heavy is imported for it.
"""

from pathlib import Path

from core.border import archives
from core.domain.format import Format
from core.domain.shelf import Shelf
from core.formats import (
    c_source,
    catboost,
    coreml,
    executorch,
    keras,
    keras_h5,
    lightgbm,
    litert,
    ncnn,
    onnx,
    onnx_external,
    openvino,
    ort,
    pickle,
    pmml,
    python_source,
    safetensors,
    saved_model,
    skops,
    torch_checkpoint,
    torch_export,
    torchscript,
    unsupported_kinds,
    web_package,
    xgboost,
)

HEAD_BYTES = 64 * 1024

FORMATS: Shelf[Format] = Shelf(
    "format",
    onnx.FORMAT,
    web_package.FORMAT,
    onnx_external.FORMAT,
    ort.FORMAT,
    openvino.FORMAT,
    litert.FORMAT,
    ncnn.FORMAT,
    coreml.FORMAT,
    executorch.FORMAT,
    keras.FORMAT,
    keras_h5.FORMAT,
    saved_model.FORMAT,
    torch_export.FORMAT,
    torchscript.FORMAT,
    torch_checkpoint.FORMAT,
    safetensors.FORMAT,
    skops.FORMAT,
    pmml.FORMAT,
    python_source.FORMAT,
    c_source.FORMAT,
    xgboost.FORMAT,
    lightgbm.FORMAT,
    catboost.FORMAT,
    pickle.FORMAT,
)


def recognise(path: Path, name: str) -> Format:
    """Return the format of a file by its content. Raises Refused with what it seems to be and what to do."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    names = archives.names(path)
    for format in FORMATS:
        if format.match(head, names, name):
            return format
    raise unsupported_kinds.refusal(head, names, name, path.stat().st_size)


__all__ = ["FORMATS", "recognise"]
