"""A model in a newer operator set, taken only where it answers samples as before.

By ONNX's converter: that of onnxscript 0.7.2 leads to opset 18 and newer, and not to the 13 that is asked for here.
"""

from itertools import islice

import numpy as np

from core.domain.errors import Refused
from core.onnx import calibration, files
from core.onnx.typing import ModelProto, Samples

PIECES = 8
"""Pieces of the samples that both are asked, at most."""
NOISE = 1e-5
"""Of the largest number answered: what another order of the same sums may move in float32."""


def raised(model: ModelProto, opset: int, samples: Samples) -> ModelProto:
    """Return the model in an operator set, or as it is where its own is no older.

    Raises Refused where the version converter of ONNX does not carry it there, or it answers the samples otherwise then.
    """
    before = files.opset(model)
    if before >= opset:
        return model
    newer = _carried(model, opset)
    if newer is None or not _alike(model, newer, samples):
        why = "cannot convert this file" if newer is None else "converts it to a file with different answers"
        raise Refused(
            f"This technique needs opset {opset}; the file has {before}, and ONNX's version converter {why}.",
            f"Export the model again from its source with opset {opset} or newer, or choose integer weights.",
        )
    return newer


def _carried(model: ModelProto, opset: int) -> ModelProto | None:
    """Return what the version converter makes of a model, or None where it gives up or what comes out is not valid."""
    import onnx

    try:
        newer = onnx.version_converter.convert_version(model, opset)
        del newer.graph.value_info[:]
        newer.ir_version = max(newer.ir_version, files.lowest_ir(newer))
        files.check(newer)
    except Exception:
        return None
    return newer if files.opset(newer) == opset else None


def _alike(model: ModelProto, newer: ModelProto, samples: Samples) -> bool:
    """Say whether both answer the samples equally, up to noise; one that does not load answers nothing."""
    try:
        opened = calibration.session(newer.SerializeToString(), "all")
    except Refused:
        return False
    asked = calibration.session(model.SerializeToString(), "all")
    pairs = zip(calibration.answers(asked, samples), calibration.answers(opened, samples), strict=True)
    return all(_near(a, b) for ours, theirs in islice(pairs, PIECES) for a, b in zip(ours, theirs, strict=True))


def _near(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind != "f" or not one.size:
        return bool(np.array_equal(one, other))
    most = float(np.abs(one[np.isfinite(one)]).max(initial=0.0))
    return bool(np.allclose(one, other, rtol=0, atol=NOISE * most, equal_nan=True))
