"""Runs a file of a sample on rows, so that its card says what the shipped bytes answer and not what the trainer hoped."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import joblib
import numpy as np
import onnxruntime
import pandas as pd
import skops.io
import torch

BATCH = 500
TRUSTED = [
    "numpy.dtype",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
]
"""Types that scikit-learn does not own and the samples hold."""

Rows: TypeAlias = np.ndarray | pd.DataFrame


def onnx(path: Path, rows: Rows) -> np.ndarray:
    """Return the predicted classes of an ONNX file: its labels if it gives any, else the largest logit."""
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    first, name = session.get_outputs()[0].name, session.get_inputs()[0].name
    answers = [session.run([first], {name: chunk})[0] for chunk in _chunks(np.asarray(rows))]
    return _classes(np.concatenate(answers))


def torch_export(path: Path, rows: Rows) -> np.ndarray:
    """Return the predicted classes of an exported program."""
    return _network(torch.export.load(path).module(), rows)


def torchscript(path: Path, rows: Rows) -> np.ndarray:
    """Return the predicted classes of a TorchScript archive."""
    return _network(torch.jit.load(str(path)), rows)


def sklearn(path: Path, rows: Rows) -> np.ndarray:
    """Return the predicted classes of a skops file."""
    return np.asarray(skops.io.load(path, trusted=TRUSTED).predict(rows))


def pickle(path: Path, rows: Rows) -> np.ndarray:
    """Return the predicted classes of our own joblib file."""
    return np.asarray(joblib.load(path).predict(rows))


SCORES: dict[str, Callable[[Path, Rows], np.ndarray]] = {
    "onnx": onnx,
    "torch_export": torch_export,
    "torchscript": torchscript,
    "skops": sklearn,
    "pickle": pickle,
}


def _network(module: Callable[[torch.Tensor], torch.Tensor], rows: Rows) -> np.ndarray:
    with torch.no_grad():
        return _classes(
            np.concatenate([module(torch.from_numpy(chunk)).numpy() for chunk in _chunks(np.asarray(rows))])
        )


def _chunks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]


def _classes(answers: np.ndarray) -> np.ndarray:
    return answers.argmax(1) if answers.ndim > 1 else answers
