"""Data files of many lands: each is read as it was written, what is assumed is said, and what may be either is refused."""

import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused
from core.proof.dataset import Asked, Dataset
from core.proof.datasets import read_dataset

NAMES = ["sepal length", "sepal width", "petal length", "petal width"]
ROWS = np.random.default_rng(0).normal(size=(40, 4)).round(4)
LABELS = np.arange(40) % 3
TABLE = pd.DataFrame(ROWS, columns=NAMES).assign(label=LABELS)
FOUR = Signature((TensorSpec("x", "float32", ("n", 4)),), (TensorSpec("logits", "float32", ("n", 3)),))
ONE = Signature((TensorSpec("x", "float32", ("n", 1)),))
CODES = Signature((TensorSpec("code", "str", ("n", 1)), TensorSpec("size", "float32", ("n", 1))))


def written(path: Path, content: str | bytes) -> Path:
    """Write a file."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def check(found: Dataset) -> None:
    """Compare what was read with the table."""
    np.testing.assert_array_equal(found.inputs["x"], ROWS.astype(np.float32))
    assert found.labels is not None
    assert found.labels.dtype == np.int64
    assert found.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TABLE.to_csv(index=False), "separator comma, decimal point, UTF-8, a header row, 40 rows, 5 columns"),
        (TABLE.to_csv(index=False, sep=";"), "separator semicolon, decimal point"),
        (TABLE.to_csv(index=False, sep=";", decimal=","), "separator semicolon, decimal comma"),
        (TABLE.to_csv(index=False, sep="\t", decimal=","), "separator tab, decimal comma"),
        (TABLE.to_csv(index=False, sep="\t"), "separator tab, decimal point"),
        (TABLE.to_csv(index=False, sep="|"), "separator vertical bar"),
        (TABLE.to_csv(index=False, quoting=1, lineterminator="\r\n"), "separator comma"),
        (TABLE.to_csv(index=False).encode("utf-8-sig"), "UTF-8"),
        (TABLE.to_csv(index=False).encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + TABLE.to_csv(index=False).encode("utf-16-be"), "UTF-16"),
        (TABLE.to_csv(index=False, sep=";", decimal=",").encode("utf-16"), "decimal comma, UTF-16"),
        (TABLE.rename(columns={NAMES[0]: "größe"}).to_csv(index=False).encode("latin-1"), "Windows-1252"),
        (TABLE.to_csv(index=True), "Column 1 has no name and numbers the rows"),
    ],
)
def test_a_table_is_read_however_it_was_written(tmp_path: Path, content: str | bytes, said: str) -> None:
    found = read_dataset(written(tmp_path / "d.csv", content), None, FOUR)
    check(found)
    assert said in " ".join(found.notes)
    assert "label: label" in found.notes[0]
    assert "taken in the order of the file" in " ".join(found.notes)


@pytest.mark.parametrize("style", [{}, {"sep": ";", "decimal": ","}])
def test_a_file_without_a_header_loses_no_sample(tmp_path: Path, style: dict[str, Any]) -> None:
    path = written(tmp_path / "d.csv", TABLE.to_csv(index=False, header=False, **style))
    found = read_dataset(path, "column 5", FOUR)
    check(found)
    assert "no header row (columns are called column 1 to column 5)" in found.notes[0]
    for label in (None, "1"):
        with pytest.raises(Refused) as caught:
            read_dataset(path, label, FOUR)
        assert "no header row" in caught.value.message + caught.value.next_step
        assert "column 5" in caught.value.next_step


@pytest.mark.parametrize(
    ("content", "header"),
    [
        ("5.1,3.5,1.4,0.2,setosa\n4.9,3.0,1.4,0.2,virginica\n", False),
        ("5,3,1,2,ant\n4,3,1,2,ant\n", False),
        ("5,5,1,2,ant\n4,3,1,2,bee\n", False),
        ("0,1,2,3,label\n4,3,1,2,ant\n", True),
        ("0,1,2,3,4\n4,3,1,2,0\n", True),
        ("a,b,c,d,e\n4,3,1,2,ant\n", True),
    ],
)
def test_a_header_is_told_from_a_sample(tmp_path: Path, content: str, header: bool) -> None:
    label = content.partition("\n")[0].split(",")[-1] if header else "column 5"
    found = read_dataset(written(tmp_path / "d.csv", content), label, Signature(FOUR.inputs))
    assert found.n == 2 - header
    assert found.inputs["x"][-1].tolist() == pytest.approx(
        [float(one) for one in content.splitlines()[1].split(",")[:4]]
    )


@pytest.mark.parametrize("content", ["0,1\n3,4\n", "2019,2020,2021,2022\n1.5,2.5,3.5,4.5\n"])
def test_a_first_line_that_may_be_either_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(Refused, match="may be a header or a sample"):
        read_dataset(written(tmp_path / "d.csv", content), None, FOUR)


def test_texts_stay_as_written_for_a_model_that_takes_text(tmp_path: Path) -> None:
    content = "code,size\n02134,1\n1_000,2\n1.50,3\nNA,4\n"
    found = read_dataset(written(tmp_path / "d.csv", content), None, CODES)
    assert found.inputs["code"].ravel().tolist() == ["02134", "1_000", "1.50", "NA"]
    assert found.inputs["size"].ravel().tolist() == [1, 2, 3, 4]


def test_leading_zeros_become_numbers_only_with_a_word(tmp_path: Path) -> None:
    found = read_dataset(written(tmp_path / "d.csv", "zip\n02134\n10001\n"), None, ONE)
    assert found.inputs["x"].ravel().tolist() == [2134, 10001]
    assert "leading zeros are dropped (02134 is read as 2134)" in " ".join(found.notes)


@pytest.mark.parametrize("cell", ["1_000", '"1,234.5"', "12%", "-", "0x10", "1 000", "12a"])
def test_what_is_no_number_is_shown(tmp_path: Path, cell: str) -> None:
    with pytest.raises(Refused) as caught:
        read_dataset(written(tmp_path / "d.csv", f"a,b,c,d\n1,2,3,4\n1,{cell},3,4\n"), None, FOUR)
    assert f"'b' holds text ({cell.strip(chr(34))!r} in row 2)" in caught.value.message


def test_words_for_missing_and_truth_are_numbers(tmp_path: Path) -> None:
    content = "a,b,c,d\n1,#N/A,True,4\n+1.5e3,,False,NaN\n"
    found = read_dataset(written(tmp_path / "d.csv", content), None, FOUR)
    np.testing.assert_array_equal(found.inputs["x"], [[1, np.nan, 1, 4], [1500, np.nan, 0, np.nan]])
    assert "missing numbers: 2 in b, 1 in d." in " ".join(found.notes)


def test_large_whole_numbers_keep_every_digit(tmp_path: Path) -> None:
    ids = Signature((TensorSpec("id", "int64", ("n", 1)),))
    found = read_dataset(written(tmp_path / "d.csv", "id,z\n9007199254740993,1\n"), None, ids)
    assert found.inputs["id"].tolist() == [[9007199254740993]]


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("d.json", TABLE.to_json(orient="records"), "This is JSON"),
        ("d.json", TABLE.to_json(), "This is JSON by columns"),
        ("d.jsonl", '{"a": 1, "b": 2, "c": 3, "d": 4}\n{"a": 1', "Line 2 is not JSON"),
        ("d.jsonl", '{"a": 1, "b": 2, "c": 3, "d": 4}\n[1, 2]\n', "Line 2 is no object"),
        (
            "d.jsonl",
            '{"a": 1, "b": 2, "c": 3, "d": 4}\n{"a": "x", "b": 2, "c": 3, "d": 4}\n',
            "holds numbers and texts",
        ),
        ("d.jsonl", '{"a": {"b": 1}, "c": 2}\n{"a": {"b": 1}, "c": 2}\n', "records of several fields"),
        ("d.jsonl", '{"a": [1, 2]}\n{"a": [1]}\n', "not all of one length"),
        ("d.jsonl", '{"a": "\\ud800"}\n', "Line 1 is not JSON"),
        ("d.csv", "a,b\n1,2\n", "takes n x 4"),
        ("d.csv", "a,b,c,d\n", "no rows"),
        ("d.csv", "a,b\n1,2,3\n", "Line 2 has 3 cells"),
        ("d.csv", b"\x01\x02\x03 no text", "not a data set"),
        ("d.csv", b"\xff\xfea", "begins as UTF-16"),
    ],
)
def test_what_is_no_table_is_refused_with_the_next_step(
    tmp_path: Path, name: str, content: str | bytes, word: str
) -> None:
    with pytest.raises(Refused, match=word) as caught:
        read_dataset(written(tmp_path / name, content), None, FOUR)
    assert caught.value.next_step


def test_json_lines_keep_the_types_that_they_have(tmp_path: Path) -> None:
    check(read_dataset(written(tmp_path / "d.jsonl", TABLE.to_json(orient="records", lines=True)), None, FOUR))
    kinds = Signature((TensorSpec("zip", "str", ("n", 1)), TensorSpec("size", "float32", ("n", 1))))
    lines = '{"zip": "02134", "size": 9007199254740993, "y": "a"}\n\n{"size": null, "zip": "7", "y": "b"}\n{"zip": "8", "y": "a"}'
    found = read_dataset(written(tmp_path / "k.jsonl", "\ufeff" + lines), None, kinds)
    assert found.inputs["zip"].tolist() == [["02134"], ["7"], ["8"]]
    np.testing.assert_array_equal(found.inputs["size"], np.array([[9007199254740993], [np.nan], [np.nan]], np.float32))
    assert "1 of 3 rows lack some of the values." in found.notes


@pytest.mark.parametrize("sep", [",", ";"])
def test_columns_are_put_in_the_order_that_the_model_names(tmp_path: Path, sep: str) -> None:
    moved = TABLE[["label", *sorted(NAMES)]].assign(id=range(40))
    asked = Asked(columns=tuple(NAMES))
    found = read_dataset(written(tmp_path / "d.csv", moved.to_csv(index=False, sep=sep)), asked, FOUR)
    check(found)
    told = " ".join(found.notes)
    assert "matched by name, which is another order than the file's" in told
    assert "not used: id" in told


def test_blanks_in_names_are_what_libraries_write_for_them(tmp_path: Path) -> None:
    asked = Asked(columns=tuple(name.replace(" ", "_") for name in NAMES))
    moved = TABLE[["label", *reversed(NAMES)]]
    check(read_dataset(written(tmp_path / "d.csv", moved.to_csv(index=False)), asked, FOUR))


def test_other_names_than_the_model_has_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "d.csv", TABLE.to_csv(index=False))
    with pytest.raises(Refused, match="takes the columns a, b, c, d"):
        read_dataset(path, Asked(columns=tuple("abcd")), FOUR)
    for counted in (["Column_0", "Column_1", "Column_2", "Column_3"], ["f0", "f1", "f2", "f3"], list("0123")):
        found = read_dataset(path, Asked(columns=tuple(counted)), FOUR)
        check(found)
        assert "The model names no columns" in " ".join(found.notes)


def test_parquet_holds_decimals_lists_bytes_and_an_index(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    exact = {n: pa.array([decimal.Decimal(str(v)) for v in ROWS[:, i].tolist()]) for i, n in enumerate(NAMES)}
    pq.write_table(pa.table({**exact, "label": LABELS}), path)
    found = read_dataset(path, None, FOUR)
    check(found)
    assert "Decimals are read as float64" in " ".join(found.notes)
    pq.write_table(pa.table({"x": pa.array(ROWS.tolist()), "label": [str(one).encode() for one in LABELS]}), path)
    check(read_dataset(path, None, FOUR))
    TABLE.set_index(pd.Index([f"r{row}" for row in range(40)], name="key")).to_parquet(path)
    found = read_dataset(path, None, FOUR)
    check(found)
    assert "key is the table's index" in " ".join(found.notes)
    pq.write_table(pa.table({"x": pa.array([[1.0], [1.0, 2.0]]), "label": [0, 1]}), path)
    with pytest.raises(Refused, match="not all of one length"):
        read_dataset(path, None, FOUR)


@pytest.mark.parametrize("spoilt", [b"\xff{", b"[" * 100_000, b"{"])
def test_a_parquet_file_whose_notes_are_spoilt_is_refused_in_words(tmp_path: Path, spoilt: bytes) -> None:
    path = tmp_path / "d.parquet"
    pq.write_table(pa.table({"x": ROWS.tolist(), "label": LABELS}).replace_schema_metadata({b"pandas": spoilt}), path)
    with pytest.raises(Refused, match="damaged"):
        read_dataset(path, None, FOUR)


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({"x": ROWS, "y": np.int64(3)}, "single value"),
        ({"x": np.float32(3), "y": LABELS}, "single value"),
        ({"x": ROWS, "y": LABELS.astype(complex)}, "complex128"),
        ({"x": ROWS.astype(complex), "y": LABELS}, "complex numbers"),
        ({"x": ROWS, "y": np.array([b"\xff\xfe"] * 40)}, "no text in UTF-8"),
        ({"x": np.array([(1.0, 2.0)], dtype=[("a", "f4"), ("b", "f4")])}, "records"),
        ({"x": ROWS, "y": LABELS[:30]}, "same number of rows"),
    ],
)
def test_arrays_that_are_no_samples_are_refused_in_words(tmp_path: Path, arrays: dict[str, Any], word: str) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(Refused, match=word):
        read_dataset(tmp_path / "d.npz", None, FOUR)


def test_arrays_of_other_machines_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=ROWS.astype(">f8"), y=LABELS.astype(">i4"))
    check(read_dataset(tmp_path / "d.npz", None, FOUR))


def test_a_column_that_the_model_takes_is_no_label_and_several_are_asked_about(tmp_path: Path) -> None:
    takes_y = Signature((TensorSpec("y", "float32", ("n", 1)),))
    found = read_dataset(written(tmp_path / "d.csv", "y,target\n5,1\n6,0\n"), None, takes_y)
    assert found.inputs["y"].ravel().tolist() == [5, 6]
    assert found.labels is not None
    assert found.labels.tolist() == [1, 0]
    with pytest.raises(Refused, match="Several columns may be the label: y, target"):
        read_dataset(tmp_path / "d.csv", None, ONE)
    with pytest.raises(Refused) as caught:
        read_dataset(
            written(tmp_path / "d.csv", TABLE.rename(columns={"label": "kind"}).to_csv(index=False)), None, FOUR
        )
    assert "name it with --label" in caught.value.next_step


def test_numbers_whose_differences_the_input_cannot_hold_are_refused(tmp_path: Path) -> None:
    """Seconds since 1970 within ten minutes are steps of 128 in float32; over a year they lose nothing that matters."""
    signature = Signature((TensorSpec("X", "float32", ("batch", 2)),))
    draw = np.random.default_rng(0)
    for spread, fits in ((600.0, False), (3.0e7, True)):
        rows = np.stack([1.75e9 + draw.random(50) * spread, np.full(50, 0.1)], axis=1)
        np.savez(tmp_path / "d.npz", x=rows)
        if fits:
            assert read_dataset(tmp_path / "d.npz", None, signature).inputs["X"].dtype == np.float32
        else:
            with pytest.raises(Refused, match="cannot hold the numbers of column 1") as caught:
                read_dataset(tmp_path / "d.npz", None, signature)
            assert "offset" in caught.value.next_step
