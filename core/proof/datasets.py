"""Reads the user's samples into the arrays that a model takes, refuses what does not fit in words, and says what was assumed.

``.npz`` holds ``x`` (or one array per input) and optionally ``y``; ``.csv`` and ``.parquet`` hold one column per
feature and optionally a label column; a zip holds pictures (``core.proof.pictures``). Types come from the model's side. Nothing in a data set is ever unpickled.
"""

import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused, first_line
from core.proof import columns, dialect, fitting, json_lines, labels, pictures, sides
from core.proof.dataset import Asked, Dataset
from core.proof.labels import Labels, Reading, some
from core.proof.tables import UNNAMED, Columns, read_csv, read_npz, read_parquet

LABELS = ("y", "label", "target")
PICTURES = "pictures"
JSON = re.compile(rb"(\xef\xbb\xbf)?\s*(\{\s*[\"}]|\[\s*[\[\]{\"0-9-])")
"""How JSON begins."""


def read_dataset(path: Path, asked: Asked | str | None, signature: Signature) -> Dataset:
    """Read a file for a model's inputs, with labels from the column that was asked for, else from y, label or target.

    Raises Refused when the file is of no known kind, lies about its size, or does not fit the inputs.
    """
    asked = asked if isinstance(asked, Asked) else Asked(asked)
    kind = _kind(path)
    if kind == PICTURES:
        return pictures.read(path, asked, signature)
    table = READERS[kind](path)
    taken = {*(spec.name for spec in signature.inputs), *asked.columns}
    wanted = _label_name(table, asked.label, taken)
    arrays = dict(table.arrays)
    given = arrays.pop(wanted) if wanted else None
    cut = _cut(asked, arrays)
    if cut and cut.split.column not in taken:
        del arrays[cut.split.column]
    table = replace(table, arrays=arrays)
    found = _matched(table, kind, signature, asked, wanted)
    answers = None if given is None else labels.read(given, Reading(signature.outputs, asked.classes, table.decimal))
    rows = {len(array) for array in found.inputs.values()} | ({len(answers.kept)} if answers else set())
    rows |= {len(cut.values)} if cut else set()
    if len(rows) != 1 or rows == {0}:
        counts = ", ".join(str(n) for n in sorted(rows)) or "no"
        raise Refused(
            f"Inputs and labels must have the same number of rows, and at least one: {counts}.",
            "Give every sample one row.",
        )
    first = _summary(table, kind, rows.pop(), wanted)
    dataset = Dataset(
        found.inputs, None, first[0], fitting.shapes(signature.inputs), notes=first[1] + found.notes, cut=cut
    )
    return _labelled(dataset, answers)


def _cut(asked: Asked, arrays: dict[str, np.ndarray]) -> sides.Cut | None:
    """Return by what the owner wants the halves cut. Raises Refused where there is no such column, or it has several numbers a row."""
    if asked.split is None:
        return None
    found = arrays.get(asked.split.column)
    if found is None or found.ndim != 1:
        raise Refused(
            f"The data has no column {asked.split.column!r} to split by.", f"Columns here: {some(list(arrays))}."
        )
    return sides.read(asked.split, found)


def _matched(table: Columns, kind: str, signature: Signature, asked: Asked, label: str | None) -> columns.Matched:
    """Return the array of each input; a refusal says how a label is named where none was found."""
    try:
        if kind == "npz":
            return _from_arrays(table.arrays, signature, asked.columns)
        return columns.match(table, signature.inputs, asked.columns)
    except Refused as error:
        if label is not None or kind == "npz":
            raise
        way = "If one of the columns is the label, name it with --label."
        if not table.named:
            last = UNNAMED.format(len(table.arrays))
            way = f"The file has no header row; a label is named by its place, as --label {last!r}."
        raise Refused(error.message, f"{error.next_step} {way}") from None


def _summary(table: Columns, kind: str, n: int, label: str | None) -> tuple[int, tuple[str, ...]]:
    """Return the number of rows, and the first sentences on how the file was read."""
    width = [] if kind == "npz" else [f"{len(table.arrays) + bool(label):,} columns"]
    parts = [*table.read, f"{n:,} rows", *width, f"label: {label}" if label else "no label"]
    return n, (f"Read as {', '.join(parts)}.", *table.notes)


def _labelled(dataset: Dataset, found: Labels | None) -> Dataset:
    """Return the data set with its labels, less the rows that have none; without labels where no row has one."""
    if found is None:
        return dataset
    if not found.kept.any():
        return replace(dataset, notes=(*dataset.notes, "No row has a label."))
    whole = dataset if found.kept.all() else dataset.only(found.kept)
    return replace(whole, labels=found.values, names=found.names, notes=(*dataset.notes, *found.notes))


READERS = {"npz": read_npz, "csv": read_csv, "parquet": read_parquet, "jsonl": json_lines.read}


def _kind(path: Path) -> str:
    """Recognise a data set by its content. Raises Refused for what is none."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:4] == b"PK\x03\x04":
        return _zipped(path)
    if head[:6] == b"\x93NUMPY":
        raise Refused("This is a single .npy array.", "Save it as .npz with numpy.savez(file, x=..., y=...).")
    if JSON.match(head) and json_lines.begins(head):
        return "jsonl"
    if JSON.match(head):
        raise Refused(
            "This is JSON that is not one object a line.",
            "Save it as JSON lines, for example with pandas: pandas.read_json(file).to_json('data.jsonl', orient='records', lines=True).",
        )
    if not head or (b"\0" in head and dialect.marked(head) is None):
        raise Refused("This file is not a data set that can be read.", "Use .npz, .csv, .jsonl or .parquet.")
    return "csv"


def _zipped(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise Refused(
            f"The .npz file is damaged: {first_line(error)[:200]}", "Save it again with numpy.savez."
        ) from None
    if all(name.endswith(".npy") for name in names):
        return "npz"
    if "[Content_Types].xml" in names:
        raise Refused("This is a spreadsheet file, which is not read as a data set.", "Save the sheet as CSV.")
    if pictures.holds(tuple(names)):
        return PICTURES
    raise Refused("The zip contains neither arrays (.npy) nor pictures.", pictures.OTHERS)


def _label_name(table: Columns, label: str | None, taken: set[str]) -> str | None:
    """Return the column of the labels, or None where there is none; one that the model takes is none unless it was asked for."""
    names = list(table.arrays)
    if label is None:
        found = [name for name in names if name.lower() in LABELS and name not in taken]
        if len(found) > 1:
            raise Refused(f"Several columns may be the label: {some(found)}.", f"Name one, as --label {found[0]}.")
        return found[0] if found else None
    if label in names:
        return label
    if not table.named:
        raise Refused(
            f"The file has no header row, so that no column is called {label!r}: its first line looks like a sample.",
            f"Name the label by its place, as {UNNAMED.format(len(names))!r}, or write a header row. "
            f"Columns here: {some(names)}.",
        )
    raise Refused(f"The data has no column {label!r} for the label.", f"Columns here: {some(names)}.")


def _from_arrays(arrays: dict[str, np.ndarray], signature: Signature, order: tuple[str, ...]) -> columns.Matched:
    """Match arrays to inputs by name; a model with one input takes ``x``, or the only array there is."""
    specs = signature.inputs
    notes: tuple[str, ...] = ()
    if len(specs) == 1 and specs[0].name not in arrays:
        only = arrays.get("x", next(iter(arrays.values())) if len(arrays) == 1 else None)
        arrays = {specs[0].name: only} if only is not None else arrays
        notes = (f"The columns of x are taken in the order of the model: {some(order)}.",) if order else ()
    elif "x" in arrays and arrays["x"].ndim == 2 and _are_columns(specs) and arrays["x"].shape[1] == len(specs):
        arrays = {spec.name: arrays["x"][:, place] for place, spec in enumerate(specs)}
        notes = (f"The columns of x are taken in the order of the model: {some(list(arrays))}.",)
    missing = [spec.name for spec in specs if spec.name not in arrays]
    if missing:
        raise Refused(
            f"The data set has no array for the input {', '.join(missing)}.",
            f"Arrays here: {some(list(arrays))}; name one x or after the input.",
        )
    return columns.Matched(fitting.fitted(arrays, specs), notes)


def _are_columns(specs: tuple[TensorSpec, ...]) -> bool:
    return all(spec.shape is not None and (len(spec.shape) == 1 or spec.shape[1:] == (1,)) for spec in specs)
