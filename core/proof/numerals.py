"""Texts that are numbers, read strictly: a number as a program or a spreadsheet writes it, and nothing that only Python takes for one."""

import math
import re
from collections.abc import Sequence

import numpy as np

MISSING = frozenset(("", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"))
"""What stands for a number that is not there."""
TRUTHS = {"true": "1", "false": "0"}
WHOLE = re.compile(r"[+-]?[0-9]+")
POINT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?inf(inity)?", re.IGNORECASE)
COMMA = re.compile(r"[+-]?([0-9]+,[0-9]*|,[0-9]+)([eE][+-]?[0-9]+)?")
PADDED = re.compile(r"[+-]?0[0-9]+")


def missing(cell: str) -> bool:
    """Say whether a cell stands for no number."""
    return cell.strip().lower() in MISSING


def padded(cell: str) -> bool:
    """Say whether a cell begins with zeros, as a code or a postal code does and a number does not."""
    return PADDED.fullmatch(cell.strip()) is not None


def number(cell: str, decimal: str = ".") -> bool:
    """Say whether a cell is a number."""
    cell = cell.strip()
    return bool(POINT.fullmatch(cell) or (decimal == "," and COMMA.fullmatch(cell)))


def first_text(cells: Sequence[str], decimal: str) -> int | None:
    """Return the place of the first cell that is neither a number nor missing, or None."""
    return next((place for place, cell in enumerate(cells) if not number(cell, decimal) and not missing(cell)), None)


def numbers(cells: Sequence[str], decimal: str = ".") -> np.ndarray:
    """Return whole numbers as int64 (uint64 above its range), else float64 with NaN for the missing; the cells are known to be numbers."""
    plain = [cell.strip().replace(",", ".") if decimal == "," else cell.strip() for cell in cells]
    if all(map(WHOLE.fullmatch, plain)):
        return integers([int(cell) for cell in plain])
    return np.array([math.nan if missing(cell) else float(cell) for cell in plain], np.float64)


def integers(values: Sequence[int]) -> np.ndarray:
    """Return the narrowest of int64, uint64 and float64 that holds the values."""
    low, high = min(values, default=0), max(values, default=0)
    if low >= -(2**63) and high < 2**63:
        return np.array(values, np.int64)
    return np.array(values, np.uint64 if low >= 0 and high < 2**64 else np.float64)


def truths(cells: Sequence[str]) -> list[str] | None:
    """Return 1 and 0 for the words true and false, or None where there is another word."""
    words = [cell.strip().lower() for cell in cells]
    return [TRUTHS.get(word, "") for word in words] if set(words) - MISSING <= TRUTHS.keys() else None
