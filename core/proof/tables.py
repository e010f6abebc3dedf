"""Reads files of samples into columns within bounds of rows, columns and bytes; nothing is ever unpickled."""

import csv
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.domain.errors import Refused

if TYPE_CHECKING:
    from pyarrow import ChunkedArray

MAX_ROWS = 200_000
MAX_COLUMNS = 5_000
MAX_BYTES = 1_000_000_000
MAX_CELL = 100_000


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read every array after a look at its header, so that a lie about shape or size is found before memory is taken."""
    arrays: dict[str, np.ndarray] = {}
    left = MAX_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist()[: MAX_COLUMNS + 1]:
                arrays[info.filename.removesuffix(".npy")], used = _read_npy(archive, info, left)
                left -= used
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError) as error:
        raise Refused(f"The .npz file is damaged: {str(error)[:200]}", "Save it again with numpy.savez.") from None
    return arrays


def _read_npy(archive: zipfile.ZipFile, info: zipfile.ZipInfo, left: int) -> tuple[np.ndarray, int]:
    """Read one member; returns the array and its bytes."""
    name = info.filename.removesuffix(".npy")
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file, max_header_size=10_000)
        if dtype.hasobject:
            raise Refused(
                f"The array {name!r} holds pickled objects, which are never loaded.", "Save plain numbers or text."
            )
        size = math.prod(shape) * dtype.itemsize
        if size > left:
            raise Refused(
                f"The arrays take more than {MAX_BYTES // 10**6} MB.",
                "Use fewer samples; 1,000 are enough for a proof.",
            )
        if min(shape, default=0) < 0 or file.tell() + size != info.file_size:
            raise Refused(f"The array {name!r} is not as large as its header says.", "Save it again with numpy.savez.")
        data = file.read(size)
    if len(data) != size:
        raise Refused(f"The array {name!r} is cut off.", "Save it again with numpy.savez.")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C"), size


def read_csv(path: Path) -> dict[str, np.ndarray]:
    """Read a CSV file in UTF-8 with a header row, each column as whole numbers, numbers or text. Raises Refused."""
    csv.field_size_limit(MAX_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _bounded(csv.reader(file))
            header = [name.strip() for name in next(rows, [])]
            table = list(rows)
    except (csv.Error, UnicodeDecodeError) as error:
        raise Refused(
            f"This is not a CSV file in UTF-8: {str(error)[:200]}", "Save it again with a header row and commas."
        ) from None
    if len(header) != len(set(header)) or not table:
        raise Refused(
            "The CSV file has no rows, or two columns with the same name.", "Give it a header row with different names."
        )
    wrong = next((number for number, row in enumerate(table, start=2) if len(row) != len(header)), None)
    if wrong:
        raise Refused(
            f"Line {wrong} has {len(table[wrong - 2])} cells, but the header has {len(header)}.", "Correct that line."
        )
    return {name: _typed([row[place] for row in table]) for place, name in enumerate(header)}


def _bounded(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    for number, row in enumerate(rows):
        if number > MAX_ROWS or len(row) > MAX_COLUMNS:
            raise Refused(f"The table has more than {MAX_ROWS:,} rows or {MAX_COLUMNS:,} columns.", "Use a part of it.")
        if row:
            yield row


def read_parquet(path: Path) -> dict[str, np.ndarray]:
    """Read a parquet file within the bounds, missing numbers as NaN. Raises Refused."""
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(path)
        meta = file.metadata
        size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
        if meta.num_rows > MAX_ROWS or meta.num_columns > MAX_COLUMNS or size > MAX_BYTES:
            raise Refused(f"The table has more than {MAX_ROWS:,} rows or {MAX_COLUMNS:,} columns.", "Use a part of it.")
        table = file.read()
    except (pyarrow.ArrowException, OSError) as error:
        raise Refused(f"The parquet file is damaged: {str(error).splitlines()[0][:200]}", "Save it again.") from None
    return {name: _from_arrow(table.column(name)) for name in table.column_names}


def _from_arrow(column: "ChunkedArray") -> np.ndarray:
    values = column.to_pylist()
    if all(value is None or isinstance(value, bool | int | float) for value in values):
        return np.array([math.nan if v is None else v for v in values], np.int64 if _whole(values) else np.float64)
    return np.array(["" if v is None else str(v) for v in values])


def _whole(values: list[object]) -> bool:
    return all(isinstance(value, int) and abs(value) < 2**63 for value in values)


def _typed(cells: list[str]) -> np.ndarray:
    """Return whole numbers, else numbers with NaN for the missing, else text."""
    for convert in (_integers, _numbers):
        found = convert(cells)
        if found is not None:
            return found
    return np.array(cells)


def _integers(cells: list[str]) -> np.ndarray | None:
    try:
        return np.array([int(cell) for cell in cells], np.int64)
    except (ValueError, OverflowError):
        return None


def _numbers(cells: list[str]) -> np.ndarray | None:
    missing = ("", "na", "nan", "null", "none")
    try:
        return np.array([math.nan if cell.strip().lower() in missing else float(cell) for cell in cells], np.float64)
    except ValueError:
        return None
