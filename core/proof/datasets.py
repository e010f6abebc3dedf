"""Reads the user's samples into the arrays that a model takes, and refuses what does not fit in words.

``.npz`` holds ``x`` (or one array per input) and optionally ``y``; ``.csv`` and ``.parquet`` hold one column per
feature and optionally a label column. Nothing in a data set is ever unpickled.
"""

import math
import zipfile
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np

from core.domain import batching
from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused
from core.domain.technique import HALVES, QUARTERS
from core.proof import fitting
from core.proof.tables import read_csv, read_npz, read_parquet

LABELS = ("y", "label", "target")


@dataclass(frozen=True)
class Dataset:
    """Samples by input name, all with ``n`` rows; labels of the same length or None; the shapes of the inputs where rows are not all that they hold."""

    inputs: dict[str, np.ndarray]
    labels: np.ndarray | None
    n: int
    shapes: batching.Shapes = field(default_factory=dict)

    def samples(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Return a range of rows, each array [rows, ...]."""
        return {name: array[start:stop] for name, array in self.inputs.items()}

    def rows(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Return a range of rows laid out as the model takes them."""
        return batching.native(self.samples(start, stop), self.shapes)

    def half(self, which: str) -> "Dataset":
        """Return the ``calibration`` half or the ``test`` half of the samples, in their order, or a quarter of the first.

        A sample belongs to one by the SHA-256 of its inputs' bytes, so that equal samples are never on both sides, and
        a sample stays on its side whatever else the file holds. Raises Refused where that part is empty.
        """
        kept = np.array([which in _parts(self.samples(row, row + 1)) for row in range(self.n)])
        if not kept.any():
            raise Refused(f"The {which} part of the data contains no samples.", "Add more samples.")
        labels = None if self.labels is None else self.labels[kept]
        inputs = {name: array[kept] for name, array in self.inputs.items()}
        return Dataset(inputs, labels, int(kept.sum()), self.shapes)


def _parts(sample: dict[str, np.ndarray]) -> tuple[str, ...]:
    """Return the half that a sample belongs to, and in the first half its quarter too."""
    cells = [sample[name] for name in sorted(sample)]
    digest = sha256(b"".join(str(a.tolist()).encode() if a.dtype.kind == "U" else a.tobytes() for a in cells))
    half, quarter = (byte % 2 for byte in digest.digest()[:2])
    return (HALVES[half], QUARTERS[quarter]) if half == 0 else (HALVES[half],)


def read_dataset(path: Path, label: str | None, signature: Signature) -> Dataset:
    """Read a file for a model's inputs, with labels from the column ``label``, else from y, label or target.

    Raises Refused when the file is of no known kind, lies about its size, or does not fit the inputs.
    """
    kind = _kind(path)
    if kind == "npz":
        columns, names = read_npz(path), {}
    else:
        columns = read_csv(path) if kind == "csv" else read_parquet(path)
        names = columns
    wanted = _label_name(columns, label)
    labels = columns.pop(wanted) if wanted else None
    inputs = _from_columns(columns, signature) if names else _from_arrays(columns, signature)
    rows = {len(array) for array in inputs.values()} | ({len(labels)} if labels is not None else set())
    if len(rows) != 1 or rows == {0}:
        counts = ", ".join(str(n) for n in sorted(rows)) or "no"
        raise Refused(
            f"Inputs and labels must have the same number of rows, and at least one: {counts}.",
            "Give every sample one row.",
        )
    return Dataset(
        inputs, None if labels is None else _flat_labels(labels), rows.pop(), fitting.shapes(signature.inputs)
    )


def _kind(path: Path) -> str:
    """Recognise a data set by its content. Raises Refused for what is none."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            if all(name.endswith(".npy") for name in archive.namelist()):
                return "npz"
        raise Refused(
            "A zip of pictures is not read yet.",
            "Store the pictures as one array x and the classes as y in an .npz file.",
        )
    if head[:6] == b"\x93NUMPY":
        raise Refused("This is a single .npy array.", "Save it as .npz with numpy.savez(file, x=..., y=...).")
    if not head or b"\0" in head:
        raise Refused("This file is not a data set that can be read.", "Use .npz, .csv or .parquet.")
    return "csv"


def _label_name(columns: dict[str, np.ndarray], label: str | None) -> str | None:
    if label is not None:
        if label not in columns:
            raise Refused(f"The data has no column {label!r} for the label.", f"Columns here: {_some(columns)}.")
        return label
    return next((name for name in columns if name.lower() in LABELS), None)


def _from_arrays(arrays: dict[str, np.ndarray], signature: Signature) -> dict[str, np.ndarray]:
    """Match arrays to inputs by name; a model with one input takes ``x``, or the only array there is."""
    specs = signature.inputs
    if len(specs) == 1 and specs[0].name not in arrays:
        only = arrays.get("x", next(iter(arrays.values())) if len(arrays) == 1 else None)
        arrays = {specs[0].name: only} if only is not None else arrays
    elif "x" in arrays and arrays["x"].ndim == 2 and _are_columns(specs) and arrays["x"].shape[1] == len(specs):
        arrays = {spec.name: arrays["x"][:, place] for place, spec in enumerate(specs)}
    missing = [spec.name for spec in specs if spec.name not in arrays]
    if missing:
        raise Refused(
            f"The data set has no array for the input {', '.join(missing)}.",
            f"Arrays here: {_some(arrays)}; name one x or after the input.",
        )
    return fitting.fitted(arrays, specs)


def _from_columns(columns: dict[str, np.ndarray], signature: Signature) -> dict[str, np.ndarray]:
    """Match columns to inputs by name, or stack them in file order into the one table that the model takes."""
    specs = signature.inputs
    if all(spec.name in columns for spec in specs):
        return fitting.fitted(columns, specs)
    if len(specs) == 1 and not _are_columns(specs):
        texts = [name for name, values in columns.items() if values.dtype.kind == "U"]
        if texts and specs[0].dtype != "str":
            raise Refused(
                f"The column {texts[0]!r} holds text, and the model takes numbers.",
                "Remove it, or name it as the label.",
            )
        return fitting.fitted({specs[0].name: np.stack(list(columns.values()), axis=1)}, specs)
    missing = [spec.name for spec in specs if spec.name not in columns]
    raise Refused(f"The data set has no column {', '.join(missing[:8])}.", f"Columns here: {_some(columns)}.")


def _are_columns(specs: tuple[TensorSpec, ...]) -> bool:
    return all(spec.shape is not None and (len(spec.shape) == 1 or spec.shape[1:] == (1,)) for spec in specs)


def _flat_labels(labels: np.ndarray) -> np.ndarray:
    """Return one label a row; a one-hot table becomes classes."""
    if labels.ndim == 2 and labels.shape[1] > 1 and labels.dtype.kind in "biuf" and np.all(labels.sum(axis=1) == 1):
        return np.asarray(labels.argmax(axis=1))
    if labels.ndim > 1 and math.prod(labels.shape[1:]) != 1:
        raise Refused("The labels are a table.", "Give one label per sample.")
    return labels.reshape(len(labels))


def _some(names: dict[str, np.ndarray]) -> str:
    shown = ", ".join(list(names)[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "")
