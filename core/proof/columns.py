"""Columns of a table matched to the inputs of a model: by name where both sides name them, else by place, and what was done is said."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.domain.artifact import TensorSpec
from core.domain.errors import Refused
from core.proof import fitting, numerals
from core.proof.labels import some
from core.proof.tables import Columns

PLACEHOLDER = re.compile(r"(?:Column_|column |feature_?|[fxX]_?)?([0-9]+)")
"""Names that libraries give columns which have none: Column_0 of LightGBM, f0 of XGBoost, 0 of CatBoost, x1 of ours."""


@dataclass(frozen=True)
class Matched:
    """The array of each input, and what was assumed, in a sentence each."""

    inputs: dict[str, np.ndarray]
    notes: tuple[str, ...]


def match(table: Columns, specs: tuple[TensorSpec, ...], order: tuple[str, ...]) -> Matched:
    """Match columns to inputs; ``order`` names the columns of the one table that the model takes, where the model names them.

    Raises Refused where names differ, and where a column is not of the input's type.
    """
    found = {spec.name: name for spec in specs if (name := same(spec.name, table)) is not None}
    if len(found) == len(specs):
        picked = {spec.name: found[spec.name] for spec in specs}
        return _named(table, specs, picked)
    if len(specs) != 1:
        missing = [spec.name for spec in specs if spec.name not in found]
        raise Refused(
            f"The data set has no column {', '.join(missing[:8])}.", f"Columns here: {some(list(table.arrays))}."
        )
    names, notes = _in_order(table, order)
    return _stacked(table, specs[0], names, notes)


def same(name: str, table: Columns) -> str | None:
    """Return the column of this name, or the only one that differs from it in blanks alone, as libraries write _ for them."""
    if not table.named:
        return None
    if name in table.arrays:
        return name
    alike = [one for one in table.arrays if "_".join(one.split()) == "_".join(name.split())]
    return alike[0] if len(alike) == 1 else None


def _named(table: Columns, specs: tuple[TensorSpec, ...], picked: dict[str, str]) -> Matched:
    typed = {spec.name: _typed(table, picked[spec.name], spec) for spec in specs}
    numeric = [name for spec, name in zip(specs, picked.values(), strict=True) if spec.dtype != "str"]
    notes = ("The columns are matched by name.", *_unused(table, list(picked.values())), *_turned(table, numeric))
    return Matched(fitting.fitted(typed, specs), notes)


def _in_order(table: Columns, order: tuple[str, ...]) -> tuple[list[str], tuple[str, ...]]:
    """Return the columns in the order of the model. Raises Refused where both sides name them, and not alike."""
    here = list(table.arrays)
    if not order or (not table.named and len(here) == len(order)):
        whose = f"of the model: {some(order)}" if order else f"of the file: {some(here)}"
        why = "The file names no columns" if order else "The model names no columns"
        return here, (f"{why}; they are taken in the order {whose}.",)
    found = [same(name, table) for name in order]
    known = [name for name in found if name is not None]
    if len(set(known)) == len(order):
        moved = "" if known == [name for name in here if name in known] else ", which is another order than the file's"
        return known, (f"The columns are matched by name{moved}.", *_unused(table, known))
    if _placeholders(order) or _only_array(table):
        return here, (f"The model names no columns; they are taken in the order of the file: {some(here)}.",)
    missing = [name for name, one in zip(order, found, strict=True) if one is None]
    raise Refused(
        f"The model takes the columns {some(order)}, and the data set has no {some(missing)}.",
        f"Name the columns as the model does; columns here: {some(here)}.",
    )


def _placeholders(order: Sequence[str]) -> bool:
    """Say whether names only count the columns."""
    found = [PLACEHOLDER.fullmatch(name) for name in order]
    counts = [int(one[1]) for one in found if one]
    return len(counts) == len(order) and any(counts == list(range(s, s + len(counts))) for s in (0, 1))


def _only_array(table: Columns) -> bool:
    return len(table.arrays) == 1 and next(iter(table.arrays.values())).ndim > 1


def _stacked(table: Columns, spec: TensorSpec, names: list[str], notes: tuple[str, ...]) -> Matched:
    typed = [_typed(table, name, spec) for name in names]
    if not typed:
        raise Refused("The data set has no column beside the label.", "Give the model's inputs as columns.")
    one = typed[0] if len(typed) == 1 else None
    whole = one if one is not None and (one.ndim > 1 or len(spec.shape or ()) == 1) else _side_by_side(names, typed)
    notes += _turned(table, names) if spec.dtype != "str" else ()
    return Matched(fitting.fitted({spec.name: whole}, (spec,)), notes)


def _side_by_side(names: list[str], arrays: list[np.ndarray]) -> np.ndarray:
    wide = next((name for name, array in zip(names, arrays, strict=True) if array.ndim > 1), None)
    if wide:
        raise Refused(
            f"The column {wide!r} holds lists, beside other columns.", "Give one list, or one number a column."
        )
    return np.stack(arrays, axis=1)


def _typed(table: Columns, name: str, spec: TensorSpec) -> np.ndarray:
    """Return a column as the input takes it: text as it is written, or numbers. Raises Refused for a cell that is none."""
    array = table.arrays[name]
    if spec.dtype == "str" or array.dtype.kind != "U":
        return array
    cells = array.reshape(-1).tolist()
    truths = numerals.truths(cells)
    place = None if truths else numerals.first_text(cells, table.decimal)
    if place is not None:
        raise Refused(
            f"The column {name!r} holds text ({cells[place][:40]!r} in row {place + 1}), and the model takes numbers.",
            "Remove it, name it as the label, or write plain numbers such as 1234.5.",
        )
    return numerals.numbers(truths or cells, table.decimal).reshape(array.shape)


def _unused(table: Columns, used: Sequence[str]) -> tuple[str, ...]:
    left = [name for name in table.arrays if name not in used]
    return (f"Columns that the model does not take are not used: {some(left)}.",) if left else ()


def _turned(table: Columns, names: Sequence[str]) -> tuple[str, ...]:
    """Say which texts were taken for numbers that are not there, and which for numbers though zeros come first, as in codes."""
    texts = {name: table.arrays[name].reshape(-1).tolist() for name in names if table.arrays[name].dtype.kind == "U"}
    gaps = {name: sum(map(numerals.missing, cells)) for name, cells in texts.items()}
    absent = [f"{count:,} in {name}" for name, count in gaps.items() if count]
    coded = {name: cell for name, cells in texts.items() if (cell := next(filter(numerals.padded, cells), None))}
    return (
        *((f"Empty cells, NA and the like are missing numbers: {some(absent)}.",) if absent else ()),
        *(
            f"In the column {name!r} leading zeros are dropped ({cell} is read as {int(cell)}), as the model takes numbers."
            for name, cell in list(coded.items())[:4]
        ),
    )
