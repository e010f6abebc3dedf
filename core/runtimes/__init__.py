"""The shelf of runtimes: one engine a file, opened only in the sandboxed worker.

A session tells the shapes and the kinds of value that a model takes, so that probes fit it, and turns named arrays
into named arrays. What an engine calls its own (tensor types, maps, frames) ends at the session.
"""

from core.domain.errors import Refused
from core.domain.runtime import Runtime
from core.domain.shelf import Shelf
from core.runtimes import (
    c_source,
    catboost,
    executorch,
    keras,
    lightgbm,
    litert,
    ncnn,
    onnxruntime,
    openvino,
    pmml,
    python_source,
    saved_model_reading,
    sklearn,
    tensorflow,
    torch,
    torch_weights,
    xgboost,
)

RUNTIMES: Shelf[Runtime] = Shelf(
    "runtime",
    onnxruntime.RUNTIME,
    torch.RUNTIME,
    torch_weights.RUNTIME,
    keras.RUNTIME,
    sklearn.RUNTIME,
    xgboost.RUNTIME,
    lightgbm.RUNTIME,
    catboost.RUNTIME,
    pmml.RUNTIME,
    python_source.RUNTIME,
    c_source.RUNTIME,
    openvino.RUNTIME,
    ncnn.RUNTIME,
    executorch.RUNTIME,
    litert.RUNTIME,
    tensorflow.RUNTIME,
    saved_model_reading.RUNTIME,
)


def runtime_for(format: str) -> Runtime:
    """Return the runtime that opens a format here. Raises Refused with the reason when there is none."""
    if reason := cannot_run(format):
        runnable = ", ".join(name for one in RUNTIMES if one.unavailable() is None for name in one.formats)
        raise Refused(f"Files of the format {format!r} cannot run here: {reason}", f"Formats that can run: {runnable}.")
    return next(one for one in _openers(format) if one.unavailable() is None)


def cannot_run(format: str) -> str | None:
    """Return why no runtime on this machine opens a format, or None when one does."""
    reasons = [one.unavailable() for one in _openers(format)]
    if None in reasons:
        return None
    return next((reason for reason in reasons if reason), "no runtime reads this format.")


def on_shelf(format: str) -> Runtime | None:
    """Return the runtime of a format whether or not it can run on this machine."""
    return next(iter(_openers(format)), None)


def child_kind(format: str) -> str:
    """Return the warm child in which a file of this format is worked on."""
    runtime = on_shelf(format)
    return "light" if runtime is None else runtime.kind


def _openers(format: str) -> list[Runtime]:
    return [one for one in RUNTIMES if format in one.formats]
