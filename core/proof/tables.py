"""Reads files of samples into columns within bounds of rows, columns and bytes, as they are written; nothing is ever unpickled."""

import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.domain.errors import Refused, first_line, refusing
from core.proof import dialect, numerals

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table

MAX_ROWS = 200_000
MAX_COLUMNS = 5_000
MAX_BYTES = 1_000_000_000
BLOCK = 16 * 1024 * 1024
MAX_VALUES = 50_000_000
FREE_BYTES, MAX_RATIO = 64 * 1024 * 1024, 200
"""What may be unpacked from however few bytes, and beyond it how many times as much as the file has."""

TOO_MANY = f"The table has more than {MAX_ROWS:,} rows or {MAX_COLUMNS:,} columns."
UNNAMED = "column {}"


@dataclass(frozen=True)
class Columns:
    """Arrays by the name of their column, the cells of a CSV file as text; whether the file names them, its decimal mark, and what was assumed."""

    arrays: dict[str, np.ndarray]
    named: bool = True
    decimal: str = "."
    read: tuple[str, ...] = ()
    """How the file was written, in a few words each."""

    notes: tuple[str, ...] = ()
    """What was left out or turned into something else, in a sentence each."""


def read_npz(path: Path) -> Columns:
    """Read every array after a look at its header, so that a lie about shape or size is found before memory is taken."""
    arrays: dict[str, np.ndarray] = {}
    left = MAX_BYTES
    with refusing("The .npz file is damaged", "Save it again with numpy.savez."), zipfile.ZipFile(path) as archive:
        members = archive.infolist()[: MAX_COLUMNS + 1]
        _check_ratio(sum(info.file_size for info in members), path)
        for info in members:
            name = info.filename.removesuffix(".npy")
            array, used = _read_npy(archive, info, left)
            arrays[name] = _plain(name, array)
            left -= used
    return Columns(arrays, read=("arrays of an .npz file",))


def _check_ratio(unpacked: int, path: Path) -> None:
    """Raise Refused for a file that unpacks to far more than samples do."""
    packed = path.stat().st_size
    if unpacked > max(FREE_BYTES, MAX_RATIO * packed):
        raise Refused(
            f"The file has {packed / 1e6:,.1f} MB and unpacks to {unpacked / 1e6:,.0f} MB, which samples never do.",
            "Save real samples; 1,000 are enough for a proof.",
        )


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


def _plain(name: str, array: np.ndarray) -> np.ndarray:
    """Return bytes as the text that they are in UTF-8, and numbers in this machine's order of bytes. Raises Refused."""
    if array.dtype.kind == "S":
        return decoded(name, array)
    if array.dtype.names:
        raise Refused(f"The array {name!r} holds records of several fields.", "Save each field as an array of its own.")
    return array if array.dtype.kind == "V" else array.astype(array.dtype.newbyteorder("="), copy=False)


def decoded(name: str, array: np.ndarray) -> np.ndarray:
    """Return bytes as text. Raises Refused where they are not UTF-8."""
    try:
        return np.char.decode(array, "utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{name!r} holds bytes that are no text in UTF-8.", "Save it as text or as numbers.") from None


def read_csv(path: Path) -> Columns:
    """Read a CSV file as it was written, whatever its separator, decimal mark and encoding, with every cell as text. Raises Refused."""
    if path.stat().st_size > MAX_BYTES:
        raise Refused(f"The file has more than {MAX_BYTES // 10**6} MB.", "Use a part of it.")
    found = dialect.of(path)
    lines = _lines(path, found)
    decimal = dialect.decimal_mark(found.separator, lines)
    first, below = [cells[0] if cells else "" for cells in lines], [cells[1:] for cells in lines]
    named = dialect.has_header(first, below, decimal)
    header = [name.strip() for name in first] if named else [UNNAMED.format(place + 1) for place in range(len(lines))]
    body = below if named else lines
    names = [name for name in header if name]
    if len(names) != len(set(names)) or not body or not body[0]:
        raise Refused(
            "The CSV file has no rows, or two columns with the same name.", "Give it a header row with different names."
        )
    kept, notes = _unnamed(dict(enumerate(body)), header)
    return Columns(
        {name: _text(name, cells) for name, cells in kept.items()},
        named,
        decimal,
        _words(found, decimal, named, header),
        notes,
    )


def _words(found: dialect.Dialect, decimal: str, named: bool, header: list[str]) -> tuple[str, ...]:
    return (
        f"CSV with the separator {dialect.SEPARATORS[found.separator]}",
        f"decimal {'comma' if decimal == ',' else 'point'}",
        dialect.TITLES[found.encoding],
        "a header row" if named else f"no header row (columns are called {header[0]} to {header[-1]})",
    )


def _lines(path: Path, found: dialect.Dialect) -> list[list[str]]:
    """Return the cells of each column, the first line among them. Raises Refused for a line of another length."""
    import pyarrow
    from pyarrow import csv

    if found.width > MAX_COLUMNS:
        raise Refused(TOO_MANY, "Use a part of it.")
    wrong: list[tuple[int, int]] = []

    def odd(row: "csv.InvalidRow") -> str:
        wrong.append((row.number or 0, row.actual_columns))
        return "error"

    names = [str(place) for place in range(found.width)]
    try:
        reader = csv.open_csv(
            path,
            csv.ReadOptions(
                use_threads=False, block_size=BLOCK, column_names=names, encoding=found.encoding.removesuffix("-sig")
            ),
            csv.ParseOptions(delimiter=found.separator, invalid_row_handler=odd, newlines_in_values=True),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string()), strings_can_be_null=False),
        )
        columns: list[list[str]] = [[] for _ in names]
        for batch in reader:
            for place, column in enumerate(batch.columns):
                columns[place] += column.to_pylist()
            if columns and len(columns[0]) > MAX_ROWS + 1:
                raise Refused(TOO_MANY, "Use a part of it.")
    except (pyarrow.ArrowException, UnicodeError) as error:
        if wrong:
            raise Refused(
                f"Line {wrong[0][0]} has {wrong[0][1]} cells, but the header has {found.width}.", "Correct that line."
            ) from None
        raise Refused(
            f"This is not a CSV file that can be read: {first_line(error)[:200]}",
            "Save it again with a header row and commas, in UTF-8.",
        ) from None
    return columns


def _unnamed(body: dict[int, list[str]], header: list[str]) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Leave out columns without a name that only number the rows or are empty; others are named by their place."""
    kept: dict[str, list[str]] = {}
    notes: list[str] = []
    for place, cells in body.items():
        name = header[place]
        if name and not name.startswith("Unnamed: "):
            kept[name] = cells
        elif _numbering(cells):
            notes.append(f"Column {place + 1} has no name and numbers the rows; it is not used.")
        elif not any(cell.strip() for cell in cells):
            notes.append(f"Column {place + 1} has no name and is empty; it is not used.")
        else:
            kept[name or UNNAMED.format(place + 1)] = cells
    return kept, tuple(notes)


def _numbering(cells: list[str]) -> bool:
    return any(cells == [str(start + row) for row in range(len(cells))] for start in (0, 1))


def _text(name: str, cells: list[str]) -> np.ndarray:
    """Return the cells as an array of text. Raises Refused where one long cell would make all of them as wide."""
    if len(cells) * max(map(len, cells), default=0) * 4 > MAX_BYTES:
        raise Refused(f"The texts of the column {name!r} are too long.", "Use fewer samples, or leave the column out.")
    return np.array(cells, np.str_)


def read_parquet(path: Path) -> Columns:
    """Read a parquet file within the bounds, missing numbers as NaN, decimals as numbers, lists as tables. Raises Refused."""
    with refusing("The parquet file is damaged", "Save it again."):
        return _parquet(path)


def _parquet(path: Path) -> Columns:
    import pyarrow
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(path) as file:
        texts = _check_parquet(file.metadata, path)
    # A column of texts stays as the file has it, each text once and the numbers of the rows: one long text in many rows is short so.
    with parquet.ParquetFile(path, read_dictionary=texts) as file:
        table = file.read()
    index = _index(table)
    notes = [f"The column {name} is the table's index; it is not used." for name in index]
    names = [name for name in table.column_names if name not in index]
    if len(names) != len(set(names)):
        raise Refused("The parquet file has two columns with the same name.", "Give them different names.")
    decimals = [name for name in names if pyarrow.types.is_decimal(table.schema.field(name).type)]
    if decimals:
        notes.append(f"Decimals are read as float64: {', '.join(decimals[:8])}.")
    arrays = {name: _from_arrow(name, table.column(name)) for name in names}
    return Columns(arrays, read=("parquet",), notes=tuple(notes))


def _check_parquet(meta: Any, path: Path) -> list[str]:
    """Return the columns of texts. Raises Refused for more rows, columns, values or bytes than samples have."""
    groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
    chunks = [group.column(j) for group in groups for j in range(group.num_columns)]
    size, values = sum(group.total_byte_size for group in groups), sum(chunk.num_values for chunk in chunks)
    if meta.num_rows > MAX_ROWS or meta.num_columns > MAX_COLUMNS or size > MAX_BYTES:
        raise Refused(TOO_MANY, "Use a part of it.")
    if values > MAX_VALUES:
        raise Refused(f"The table holds more than {MAX_VALUES:,} values.", "Use a part of it.")
    _check_ratio(size, path)
    return sorted({chunk.path_in_schema for chunk in chunks if chunk.physical_type == "BYTE_ARRAY"})


def _check_texts(name: str, column: "ChunkedArray") -> None:
    """Raise Refused where the texts of a column are short in the file alone, because most rows have the same."""
    import pyarrow.compute as pc

    total = 0
    for chunk in column.chunks:
        lengths = pc.fill_null(pc.binary_length(chunk.dictionary), 0)
        total += pc.sum(pc.cast(lengths.take(pc.drop_null(chunk.indices)), "int64")).as_py() or 0
    if total > MAX_BYTES:
        raise Refused(
            f"The texts of the column {name!r} have {total / 1e6:,.0f} MB; the limit is {MAX_BYTES / 1e6:,.0f} MB.",
            "Use fewer samples, or leave the column out.",
        )


def _index(table: "Table") -> list[str]:
    """Return the columns that pandas says hold its index."""
    told = (table.schema.pandas_metadata or {}).get("index_columns", []) if table.schema.metadata else []
    return [name for name in told if isinstance(name, str) and name in table.column_names]


def _from_arrow(name: str, column: "ChunkedArray") -> np.ndarray:
    import pyarrow
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    readers: list[tuple[Callable[[Any], bool], Callable[[str, list[Any]], np.ndarray]]] = [
        (_is_list, _nested),
        (types.is_decimal, lambda _, values: _numbers([None if v is None else float(v) for v in values])),
        (lambda one: types.is_binary(one) or types.is_large_binary(one) or types.is_fixed_size_binary(one), _bytes),
        (lambda one: types.is_struct(one) or types.is_map(one) or types.is_union(one), _refused),
        (
            lambda one: types.is_integer(one) or types.is_floating(one) or types.is_boolean(one),
            lambda _, v: _numbers(v),
        ),
    ]
    read = next((reader for fits, reader in readers if fits(kind)), None)
    texts = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    if types.is_dictionary(column.type) and any(one(kind) for one in texts):
        _check_texts(name, column)
    try:
        values = column.to_pylist()
    except (pyarrow.ArrowException, ValueError) as error:
        raise Refused(
            f"The column {name!r} cannot be read: {first_line(error)[:200]}", "Leave it out, or save it as numbers."
        ) from None
    return read(name, values) if read else _text(name, ["" if v is None else str(v) for v in values])


def column(name: str, values: list[Any]) -> np.ndarray:
    """Return plain values as an array [n, ...], a missing number as NaN and a missing text as an empty one. Raises Refused for a mixture."""
    kinds = {_kind(value) for value in values} - {"nothing"}
    if len(kinds) > 1:
        told = " and ".join(sorted(kinds))
        raise Refused(f"The column {name!r} holds {told}.", "Use one kind of value for each column.")
    kind = next(iter(kinds), "texts")
    if kind == "texts":
        return _text(name, ["" if value is None else value for value in values])
    if kind == "lists" and not all(values):
        raise Refused(f"The column {name!r} lacks some of its lists, or they are empty.", "Fill them.")
    return {"numbers": lambda _, v: _numbers(v), "lists": _nested, "records": _refused}[kind](name, values)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, int | float):
        return "numbers"
    if isinstance(value, str):
        return "texts"
    return "lists" if isinstance(value, list) else "records"


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _numbers(values: list[Any]) -> np.ndarray:
    if all(isinstance(value, bool) for value in values):
        return np.array(values, np.bool_)
    if all(isinstance(value, int) for value in values):
        return numerals.integers(values)
    return np.array([math.nan if v is None else v for v in values], np.float64)


def _nested(name: str, values: list[Any]) -> np.ndarray:
    """Return lists of one length as an array [n, ...]. Raises Refused for others."""
    try:
        array = np.array(values)
    except ValueError:
        array = np.array(None)
    if array.dtype.kind not in "biufU":
        raise Refused(f"The lists in the column {name!r} are not all of one length.", "Fill or cut them to one length.")
    return array


def _bytes(name: str, values: list[Any]) -> np.ndarray:
    return decoded(name, np.array([b"" if value is None else value for value in values]))


def _refused(name: str, values: list[Any]) -> np.ndarray:
    raise Refused(f"The column {name!r} holds records of several fields.", "Save each field as a column of its own.")
