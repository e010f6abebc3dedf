"""How a file of comma-separated values was written: its encoding, what separates its cells, its decimal mark, and whether a header row comes first."""

import codecs
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused
from core.proof.numerals import COMMA, number

HEAD = 256 * 1024
LINES = 200
"""So many lines tell the separator."""
MAX_CELL = 100_000
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""What a file begins with that says its encoding; the longer first, as one begins with the other."""
TITLES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-32": "UTF-32",
    "cp1252": "Windows-1252, as it is not UTF-8",
    "latin-1": "Latin-1, as it is not UTF-8",
}
NUMBERED = 4
"""From so many columns on, a first line of 0, 1, 2, 3 is a header that numbers them."""


@dataclass(frozen=True)
class Dialect:
    """The encoding by Python's name, the separator, and the cells of the first line."""

    encoding: str
    separator: str
    width: int


def marked(head: bytes) -> str | None:
    """Return the encoding that the first bytes of a file name, or None."""
    return next((name for mark, name in MARKS if head.startswith(mark)), None)


def of(path: Path) -> Dialect:
    """Read the encoding of the whole file and the separator of its first lines. Raises Refused where it is no text."""
    encoding = _encoding(path)
    with path.open("rb") as file:
        raw = file.read(HEAD)
        whole = not file.read(1)
    text = codecs.getincrementaldecoder(encoding)(errors="ignore").decode(raw)
    if any(ord(sign) < 32 and sign not in "\t\r\n\f" for sign in text):
        raise Refused("This file is not a data set that can be read.", "Use .npz, .csv or .parquet.")
    lines = text.splitlines(keepends=True)
    lines = lines if whole or len(lines) < 2 else lines[:-1]
    separator = _separator(lines[:LINES])
    rows = _rows(lines[:LINES], separator)
    return Dialect(encoding, separator, len(rows[0]) if rows else 0)


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        named = marked(file.read(4))
    for encoding in (named,) if named else ("utf-8", "cp1252"):
        if _decodes(path, encoding):
            return encoding
    if named:
        raise Refused(f"The file begins as {TITLES[named]}, but is not.", "Save it again as CSV in UTF-8.")
    return "latin-1"


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(HEAD):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _separator(lines: list[str]) -> str:
    """Return the separator that gives the most lines equally many cells, then the one whose cells hold no other separator."""
    return max(SEPARATORS, key=lambda one: _merit(_rows(lines, one)))


def _rows(lines: list[str], separator: str) -> list[list[str]]:
    csv.field_size_limit(MAX_CELL)
    try:
        return [row for row in csv.reader(lines, delimiter=separator) if row]
    except csv.Error:
        return []


def _merit(rows: list[list[str]]) -> tuple[float, float, int]:
    width = len(rows[0]) if rows else 0
    if width < 2:
        return 0.0, 0.0, width
    cells = [cell for row in rows for cell in row]
    clean = sum(not any(mark in cell for mark in SEPARATORS) or COMMA.fullmatch(cell) is not None for cell in cells)
    return sum(len(row) == width for row in rows) / len(rows), clean / len(cells), width


def decimal_mark(separator: str, columns: Sequence[Sequence[str]]) -> str:
    """Return a comma where numbers with one stand between other separators, and none with a point; else a point."""
    if separator == ",":
        return "."
    commas = any(COMMA.fullmatch(cell.strip()) for cells in columns for cell in cells)
    points = commas and any("." in cell and number(cell) for cells in columns for cell in cells)
    return "," if commas and not points else "."


def has_header(first: Sequence[str], columns: Sequence[Sequence[str]], decimal: str) -> bool:
    """Say whether the first line names the columns below it; it does not where it looks like a sample.

    Numbers are a sample, unless they count 0, 1, 2, ... as programs number columns without a name. Beside texts, numbers
    with a fraction or twice the same are a sample, and so are texts that come again in their own column. Raises Refused
    where a short line of numbers may be either.
    """
    found = [number(cell, decimal) for cell in first]
    if all(found):
        return _counts(first, columns)
    figures = [cell.strip() for cell, is_number in zip(first, found, strict=True) if is_number]
    if any(not figure.isdigit() for figure in figures) or len(figures) != len(set(figures)):
        return False
    again = [
        cell in column
        for cell, column, is_number in zip(first, columns, found, strict=True)
        if not is_number and cell.strip()
    ]
    return not (any(again) if figures else again and all(again))


def _counts(first: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Say whether numbers are a header. Raises Refused where they may be one: few that count, or whole ones above fractions."""
    cells = [cell.strip() for cell in first]
    running = cells in ([str(start + place) for place in range(len(cells))] for start in (0, 1))
    whole = len(set(cells)) == len(cells) and all(map(str.isdigit, cells))
    above = whole and all(any(not cell.strip().isdigit() for cell in column) for column in columns)
    if (running and len(cells) < NUMBERED) or (above and not running):
        raise Refused(
            f"The first line, {', '.join(cells)}, may be a header or a sample.",
            "Give the columns names in a header row.",
        )
    return running
