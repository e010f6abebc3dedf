"""Labels in the words of the model that they judge: its own texts, its class numbers, or the numbers that it predicts."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from core.domain.artifact import TensorSpec
from core.domain.errors import Refused
from core.proof import numerals

SHOWN = 12
OPTION = "--classes"


@dataclass(frozen=True)
class Labels:
    """One label for each row that has one; ``names`` are the classes by number where labels are names, and ``notes`` say what was assumed."""

    values: np.ndarray
    kept: np.ndarray
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What decides how labels are read: the outputs of the model, the owner's order of the classes, and the decimal mark of the file."""

    outputs: tuple[TensorSpec, ...]
    classes: tuple[str, ...] = field(default=())
    decimal: str = "."

    @property
    def texts(self) -> bool:
        """Whether the model answers with the names of its classes."""
        places = (o for o in self.outputs if not o.dtype.startswith(("float", "bfloat", "complex")))
        named = next((o for o in places if o.shape is None or len(o.shape) in (1, 2)), None)
        return named is not None and named.dtype == "str"

    @property
    def width(self) -> int | None:
        """The number of classes beside each other in the first output that has some, or None where the file does not say."""
        shapes = (o.shape for o in self.outputs if o.dtype.startswith("float") and o.shape and len(o.shape) > 1)
        found = next((shape for shape in shapes if not isinstance(shape[-1], int) or shape[-1] > 1), ())
        return found[-1] if len(found) == 2 and isinstance(found[-1], int) else None


def read(array: np.ndarray, reading: Reading) -> Labels:
    """Read labels [n], [n, 1] or one-hot [n, classes]. Raises Refused where they are none, or do not fit the classes."""
    flat, notes = _flat(array)
    kept = ~_missing(flat, reading.decimal)
    if not kept.all():
        notes += (_left_out(int((~kept).sum()), len(kept)),)
    found = flat[kept]
    if reading.texts:
        return Labels(_own_texts(found, reading), kept, notes=notes)
    if reading.classes:
        names = tuple(map(canonical, reading.classes))
        words = f"The labels {some(names)} are the classes {numbers(len(names))}, as you said."
        return Labels(_places(found, names), kept, names, (*notes, words))
    if found.dtype.kind != "U":
        return Labels(_whole(found), kept, notes=notes)
    if _are_numbers(found, reading.decimal):
        return Labels(_whole(numerals.numbers(found.tolist(), reading.decimal)), kept, notes=notes)
    if not reading.outputs:
        return Labels(found, kept, notes=notes)
    names = natural(found)
    _must_fit(names, reading.width)
    words = f"The labels {some(names)} are taken for the classes {numbers(len(names))}, in this order."
    return Labels(_places(found, names), kept, names, (*notes, words))


def natural(values: np.ndarray) -> tuple[str, ...]:
    """Return the different texts in the order of people: class2 before class10."""
    return tuple(sorted(set(map(str, values.tolist())), key=_parts))


def canonical(value: object) -> str:
    """Return a label as text; whole numbers are written without a fraction, and a text that begins with zeros stays as it is."""
    text = str(value).strip()
    if not numerals.number(text) or numerals.padded(text):
        return text
    number = float(text)
    return str(int(number)) if math.isfinite(number) and number == math.floor(number) else text


def some(values: Sequence[object]) -> str:
    """Write values down, the first of many."""
    shown = ", ".join(str(value)[:40] for value in values[:SHOWN])
    return shown + (f" and {len(values) - SHOWN} more" if len(values) > SHOWN else "")


def numbers(count: int) -> str:
    """Write class numbers down."""
    return some(range(count))


def _flat(array: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    if array.ndim == 0:
        raise Refused("The labels are a single value, not one value for each sample.", "Give one label per sample.")
    if array.dtype.kind not in "biufU":
        raise Refused(f"The labels are of the type {array.dtype}.", "Save them as numbers or text.")
    if array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind in "biuf" and np.all(array.sum(axis=1) == 1):
        return np.asarray(array.argmax(axis=1)), ("One-hot labels are read as class numbers.",)
    if array.ndim > 1 and math.prod(array.shape[1:]) != 1:
        raise Refused("The labels are a table.", "Give one label per sample.")
    flat = array.reshape(len(array))
    return (np.char.strip(flat) if flat.dtype.kind == "U" else flat), ()


def _missing(flat: np.ndarray, decimal: str) -> np.ndarray:
    """Say which rows have no label; NA and the like are names where other labels are."""
    if flat.dtype.kind == "f":
        return np.asarray(np.isnan(flat))
    if flat.dtype.kind != "U":
        return np.zeros(len(flat), bool)
    absent = np.array([numerals.missing(cell) for cell in flat.tolist()], bool)
    if all(numerals.number(cell, decimal) for cell in flat[~absent].tolist()):
        return absent
    return np.array([cell.lower() in ("", "nan") for cell in flat.tolist()], bool)


def _own_texts(found: np.ndarray, reading: Reading) -> np.ndarray:
    """Return labels as texts for a model that answers with texts. Raises Refused where the owner gave an order, which it does not need."""
    if reading.classes:
        raise Refused(
            "This model answers with the names of its classes, so no order of classes applies.",
            f"Leave {OPTION} out, and name the labels as the model does.",
        )
    if found.dtype.kind == "U":
        return found
    return np.array([canonical(value) for value in found.tolist()], np.str_)


def _are_numbers(found: np.ndarray, decimal: str) -> bool:
    return all(numerals.number(cell, decimal) and not numerals.padded(cell) for cell in found.tolist())


def _whole(values: np.ndarray) -> np.ndarray:
    """Return truth and whole numbers as int64, other numbers as they are."""
    if values.dtype.kind == "b" or (values.dtype.kind in "iu" and values.max(initial=0) < 2**63):
        return values.astype(np.int64)
    whole = values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.floor(values)).all()
    return values.astype(np.int64) if whole and np.abs(values).max(initial=0) < 2**53 else values


def _places(found: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Return the class number of each label. Raises Refused for one that is no class."""
    place = {name: number for number, name in enumerate(names)}
    texts = (
        [canonical(value) for value in found.tolist()] if not set(found.tolist()) <= place.keys() else found.tolist()
    )
    strange = sorted(set(texts) - place.keys(), key=_parts)
    if strange:
        raise Refused(
            f"The labels hold {some(strange)}, which is none of the classes {some(names)}.",
            f"Name all classes in {OPTION}, in the order of the model.",
        )
    return np.array([place[text] for text in texts], np.int64)


def _must_fit(names: tuple[str, ...], width: int | None) -> None:
    if width is not None and names and len(names) != width:
        raise Refused(
            f"The labels name {len(names)} classes ({some(names)}), but the model has {width}, known by number only.",
            f"Name all {width} in the order of the model: {OPTION} first,second,...",
        )


def _parts(text: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"([0-9]+)", text)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]


def _left_out(count: int, of: int) -> str:
    words = "has no label and is left out" if count == 1 else "have no label and are left out"
    return f"{count:,} of {of:,} rows {words}."
