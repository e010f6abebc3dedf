"""Data sets: what fits is read as the model takes it, what does not is refused in words, and nothing lies about its size."""

import io
import resource
import time
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused
from core.proof.dataset import Dataset
from core.proof.datasets import read_dataset

TABLE = Signature((TensorSpec("X", "float32", ("batch", 2)),))
NAMED = Signature((TensorSpec("size", "float32", ("batch", 1)), TensorSpec("kind", "str", ("batch", 1))))
PICTURES = Signature((TensorSpec("image", "float32", ("batch", 1, 4, 4)),))
IDS = Signature((TensorSpec("ids", "int64", ("batch", 3)),))


def text(path: Path, content: str) -> Path:
    """Write a CSV file."""
    path.write_text(content)
    return path


def test_columns_are_stacked_in_file_order(tmp_path: Path) -> None:
    found = read_dataset(text(tmp_path / "d.csv", "b,a,label\n1,2,0\n3,,1\n"), None, TABLE)
    np.testing.assert_array_equal(found.inputs["X"], np.array([[1, 2], [3, np.nan]], np.float32))
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1]


def test_columns_are_matched_by_name(tmp_path: Path) -> None:
    found = read_dataset(text(tmp_path / "d.csv", "kind,sex,size,extra\nant,f,1.5,x\nbee,m,2,y\n"), "sex", NAMED)
    assert found.inputs["kind"].tolist() == [["ant"], ["bee"]]
    assert found.inputs["size"].dtype == np.float32
    assert found.labels is not None
    assert found.labels.tolist() == ["f", "m"]


def test_parquet_reads_like_csv(tmp_path: Path) -> None:
    pq.write_table(pa.table({"size": [1.5, None], "kind": ["ant", "bee"], "y": [1, 0]}), tmp_path / "d.parquet")
    found = read_dataset(tmp_path / "d.parquet", None, NAMED)
    assert np.isnan(found.inputs["size"][1, 0])
    assert found.n == 2


def test_npz_takes_x_for_the_only_input(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((5, 1, 4, 4), np.uint8), y=np.arange(5))
    found = read_dataset(tmp_path / "d.npz", None, PICTURES)
    assert found.inputs["image"].dtype == np.float32
    assert found.n == 5


@pytest.mark.parametrize(
    ("content", "label", "signature", "word"),
    [
        ("size\n1\n2\n", None, NAMED, "kind"),
        ("a,b,c\n1,2,3\n", None, TABLE, "takes n x 2"),
        ("a,b\n1,2\n3\n", None, TABLE, "Line 3"),
        ("a,b\n1,x\n", None, TABLE, "'b' holds text"),
        ("a,b\n1,2\n", "c", TABLE, "no column 'c'"),
        ("a,b,c\n1,2,2.5\n", None, IDS, "whole numbers"),
        ("a,a\n1,2\n", None, TABLE, "two columns"),
        ("", None, TABLE, "not a data set"),
        ("\0\1\2", None, TABLE, "not a data set"),
    ],
)
def test_what_does_not_fit_is_said(
    tmp_path: Path, content: str, label: str | None, signature: Signature, word: str
) -> None:
    with pytest.raises(Refused) as caught:
        read_dataset(text(tmp_path / "d.csv", content), label, signature)
    assert word in caught.value.message
    assert caught.value.next_step


def lying(shape: str, data: bytes) -> bytes:
    """Return an .npy file whose header says ``shape``."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    ("member", "word"),
    [
        (lying("(1000000000000,)", b""), "more than"),
        (lying("(100, 2)", b"1234"), "not as large"),
        (lying("(-1, 2)", b"1234"), "not as large"),
        (b"no array at all", "damaged"),
        (lying("(4, 2", b"1234"), "damaged"),
    ],
)
def test_arrays_that_lie_are_refused_before_memory_is_taken(tmp_path: Path, member: bytes, word: str) -> None:
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", member)
    with pytest.raises(Refused, match=word):
        read_dataset(tmp_path / "d.npz", None, TABLE)


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([{"a": 1}, None], dtype=object))
    (tmp_path / "d.npz").write_bytes(buffer.getvalue())
    with pytest.raises(Refused, match="pickled"):
        read_dataset(tmp_path / "d.npz", None, TABLE)


def test_a_sample_belongs_to_a_part_by_its_bytes_for_ever() -> None:
    """A data set that was split is split in the same way by every later version, or what was held out is learned from."""
    n = 200
    numbers = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    words = np.array([f"word {place}" for place in range(n)])
    data = Dataset({"z": numbers, "a": words}, np.arange(n), n, {"z": ("batch", 3)})
    digests = [sha256(f"['word {row}']".encode() + numbers[row].tobytes()).digest() for row in range(n)]
    wanted = {
        "calibration": [row for row in range(n) if digests[row][0] % 2 == 0],
        "test": [row for row in range(n) if digests[row][0] % 2],
        "learning": [row for row in range(n) if digests[row][0] % 2 == 0 and digests[row][1] % 2 == 0],
        "selection": [row for row in range(n) if digests[row][0] % 2 == 0 and digests[row][1] % 2],
    }
    for name, places in wanted.items():
        part = data.half(name)
        assert (part.n, part.shapes) == (len(places), data.shapes)
        assert part.labels is not None
        assert part.labels.tolist() == places
        np.testing.assert_array_equal(part.inputs["z"], numbers[places])
        np.testing.assert_array_equal(part.inputs["a"], words[places])


def test_a_text_belongs_to_its_part_however_wide_its_column_is() -> None:
    narrow = np.array([f"word {place}" for place in range(60)])
    parts = [Dataset({"a": column}, None, 60).half("test") for column in (narrow, narrow.astype("<U40"))]
    assert parts[0].labels is None
    assert parts[0].inputs["a"].tolist() == parts[1].inputs["a"].tolist()


def bomb_npz(path: Path) -> None:
    """Write a megabyte that unpacks to 950."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(
            file,
            {"descr": "<f4", "fortran_order": False, "shape": (950_000, 250)},  # type: ignore[arg-type]
        )
        for _ in range(950):
            file.write(bytes(1_000_000))


def bomb_of_texts(path: Path) -> None:
    """Write one long text in many rows, which the file holds once."""
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), pa.array(["x" * 1_000_000]))
    pq.write_table(pa.table({"x": column}), path, store_schema=False)


def bomb_of_lists(path: Path) -> None:
    """Write one row with far more values than there may be rows."""
    values = pa.array(np.zeros(60_000_000, np.int8))
    pq.write_table(pa.table({"x": pa.ListArray.from_arrays([0, len(values)], values)}), path, compression="zstd")


@pytest.mark.parametrize(
    ("bomb", "name", "words"),
    [
        (bomb_npz, "d.npz", "unpacks to 950 MB"),
        (bomb_of_texts, "d.parquet", "texts of the column 'x' have 20,000 MB"),
        (bomb_of_lists, "d.parquet", "more than 50,000,000 values"),
    ],
)
def test_a_small_file_of_much_data_is_refused_before_it_is_unpacked(
    tmp_path: Path, bomb: Callable[[Path], None], name: str, words: str
) -> None:
    path = tmp_path / name
    bomb(path)
    assert path.stat().st_size < 3_000_000
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(Refused, match=words):
        read_dataset(path, None, NAMED)
    assert time.monotonic() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_real_samples_that_compress_well_are_read(tmp_path: Path) -> None:
    size = np.zeros(100_000, np.float32)
    np.savez_compressed(tmp_path / "d.npz", size=size, kind=np.full(100_000, "ant"), y=np.zeros(100_000, np.int64))
    pq.write_table(pa.table({"size": size, "kind": ["ant"] * 100_000, "y": ["no"] * 100_000}), tmp_path / "d.parquet")
    for name in ("d.npz", "d.parquet"):
        assert read_dataset(tmp_path / name, None, NAMED).n == 100_000
