"""Reads samples as one JSON object a line (jsonlines.org), within bounds of rows, columns and bytes."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

from core.domain.errors import Refused
from core.proof.tables import MAX_BYTES, MAX_COLUMNS, MAX_ROWS, TOO_MANY, Columns, column

WAY = "Write one object a line, with the same names in each."
LONGEST = 16 << 20
"""Characters of one line."""


def begins(head: bytes) -> bool:
    """Say whether a file begins with an object on a line of its own."""
    line, end, _ = head.partition(b"\n")
    return line.lstrip(b"\xef\xbb\xbf \t").startswith(b"{") and (line.rstrip().endswith(b"}") or not end)


def read(path: Path) -> Columns:
    """Read every line. Raises Refused for what is no row of plain values, or too much."""
    if path.stat().st_size > MAX_BYTES:
        raise Refused(f"The file has more than {MAX_BYTES // 10**6} MB.", "Use a part of it.")
    rows = _rows(path)
    if len(rows) == 1 and rows[0] and all(isinstance(value, dict) for value in rows[0].values()):
        raise Refused("This is JSON by columns, not one object a line.", WAY)
    names = dict.fromkeys(name for row in rows for name in row)
    if len(rows) > MAX_ROWS or len(names) > MAX_COLUMNS:
        raise Refused(TOO_MANY, "Use a part of it.")
    if not names:
        raise Refused("The file has no rows with values.", WAY)
    absent = sum(len(row) < len(names) for row in rows)
    notes = (f"{absent:,} of {len(rows):,} rows lack some of the values.",) if absent else ()
    arrays = {name: column(name, [row.get(name) for row in rows]) for name in names}
    return Columns(arrays, read=("JSON lines",), notes=notes)


def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        try:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST + 1), ""), 1):
                if len(line) > LONGEST:
                    raise Refused(f"Line {number:,} is longer than {LONGEST:,} characters.", WAY)
                if line.strip():
                    rows.append(_row(line, number))
                if len(rows) > MAX_ROWS:
                    break
        except UnicodeDecodeError:
            raise Refused("The file is no text in UTF-8.", "Save it as UTF-8.") from None
    return rows


def _row(line: str, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text that could be stored
    except (ValueError, RecursionError):
        raise Refused(f"Line {number:,} is not JSON that can be read.", WAY) from None
    if not isinstance(found, dict):
        raise Refused(f"Line {number:,} is no object.", WAY)
    return dict(islice(found.items(), MAX_COLUMNS + 1))
