"""A zip of pictures becomes samples one picture at a time; what is left out is counted and named, and bombs are refused."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused
from core.domain.recipe import Step
from core.domain.task import Task
from core.proof.dataset import Asked
from core.proof.datasets import read_dataset
from tests.preprocessing.test_steps import bomb

OUT = TensorSpec("scores", "float32", ("batch", 3))
GREY = Signature((TensorSpec("x", "float32", ("batch", 1, 8, 8)),), (OUT,))
Members = dict[str, bytes]


def png(value: int, size: tuple[int, int] = (8, 8)) -> bytes:
    """Write a grey picture of one brightness."""
    out = io.BytesIO()
    Image.fromarray(np.full(size, value, np.uint8)).save(out, "PNG")
    return out.getvalue()


def zipped(path: Path, members: Members) -> Path:
    """Write a zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


FOLDERS: Members = {f"all/{kind}/{n}.png": png(20 * n + place) for place, kind in enumerate("abc") for n in range(4)}


def test_folders_name_the_classes(tmp_path: Path) -> None:
    found = read_dataset(zipped(tmp_path / "d.zip", FOLDERS), None, GREY)
    assert (found.n, found.names) == (12, ("a", "b", "c"))
    assert found.labels is not None
    assert found.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    rows = found.rows(4, 6)["x"]
    assert rows.shape == (2, 1, 8, 8)
    np.testing.assert_allclose(rows[:, 0, 0, 0], [1 / 255, 21 / 255])
    assert any("a guess" in note for note in found.notes)


def test_a_table_labels_the_pictures_and_what_is_in_one_of_both_is_named(tmp_path: Path) -> None:
    table = b"\xef\xbb\xbffile;label\none.png;b\nsub/two.png;a\nthree.png;c\ngone.png;a\n"
    members = {"data/one.png": png(1), "data/sub/two.png": png(2), "data/three.png": png(3), "data/four.png": png(4)}
    found = read_dataset(zipped(tmp_path / "d.zip", {**members, "data/labels.csv": table}), None, GREY)
    assert found.labels is not None
    assert (found.n, found.labels.tolist()) == (3, [1, 0, 2])
    told = " ".join(found.notes)
    assert "1 file that is not named in the table left out: data/four.png" in told
    assert "1 rows of the table name no picture of the zip: gone.png" in told


def test_files_that_are_no_pictures_are_counted_and_named(tmp_path: Path) -> None:
    more = {"a/broken.png": b"no picture", "readme.txt": b"hello", "__MACOSX/a/._0.png": b"x", ".DS_Store": b"x"}
    found = read_dataset(zipped(tmp_path / "d.zip", {**FOLDERS, **more}), None, GREY)
    told = " ".join(found.notes)
    assert found.n == 12
    assert "1 file that is no picture left out: a/broken.png" in told
    assert "1 file that is neither picture nor table left out: readme.txt" in told


def test_equal_pictures_are_in_one_half_and_none_in_both(tmp_path: Path) -> None:
    members = {f"{n % 3}/{n}.png": png(n // 2) for n in range(200)}
    found = read_dataset(zipped(tmp_path / "d.zip", members), None, GREY)
    halves = [found.half(which) for which in ("calibration", "test")]
    assert sum(half.n for half in halves) == 200
    seen = [{float(value) for value in half.samples(0, half.n)["x"][:, 0, 0, 0]} for half in halves]
    assert not seen[0] & seen[1]
    assert min(map(len, seen)) > 20


def test_a_declared_task_replaces_the_guess(tmp_path: Path) -> None:
    steps = (Step("picture", {"colours": "grey"}), Step("resize", {"height": 8, "width": 8}), Step("layout"))
    found = read_dataset(zipped(tmp_path / "d.zip", FOLDERS), Asked(task=Task(steps, ("c", "b", "a"))), GREY)
    assert found.samples(1, 2)["x"].max() == 20  # without the step that scales
    assert found.labels is not None
    assert found.labels.tolist() == [2] * 4 + [1] * 4 + [0] * 4
    assert not any("a guess" in note for note in found.notes)


@pytest.mark.parametrize(
    ("shape", "dtype", "size"),
    [
        ((1, 8, 8), "float32", (1, 8, 8)),
        ((8, 8, 3), "float32", (8, 8, 3)),
        ((3, "h", "w"), "uint8", (3, 8, 8)),
        ((64,), "float32", (64,)),
        ((8, 8), "float32", (8, 8)),
    ],
)
def test_the_guess_follows_the_shape_of_the_input(
    tmp_path: Path, shape: tuple[int | str, ...], dtype: str, size: tuple[int, ...]
) -> None:
    signature = Signature((TensorSpec("x", dtype, ("batch", *shape)),), (OUT,))
    found = read_dataset(zipped(tmp_path / "d.zip", FOLDERS), None, signature).samples(0, 3)["x"]
    assert found.shape == (3, *size)
    assert found.max() == (40 if dtype == "uint8" else np.float32(40 / 255))


ALONE = {"a/one.png": png(1)}


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a/x.png": bomb(60_000, 60_000), **ALONE}, "a/x.png: A picture has more than"),
        ({"a/x.png": png(1)[:45], **ALONE}, "a/x.png: This is no picture"),
        ({"a/x.png": b"text"}, "no picture that can be read"),
        ({"labels.csv": b"file,label\nnone.png,a\n", **ALONE}, "No picture of the zip is named"),
        ({"labels.csv": b"file,kind\none.png,a\n", **ALONE}, "has no column label"),
        ({"labels.csv": b"\xff\xfe", **ALONE}, "no text in UTF-8"),
        ({"labels.csv": b"file,label\none.png," + b"a" * 200_000, **ALONE}, "not CSV that can be read"),
        ({"../x.png": png(1)}, "outside itself"),
        ({"a/readme.txt": b"x"}, "neither arrays"),
    ],
)
def test_what_is_no_data_set_is_refused(tmp_path: Path, members: Members, words: str) -> None:
    with pytest.raises(Refused, match=words):
        read_dataset(zipped(tmp_path / "d.zip", members), None, GREY).samples(0, 1)


def test_a_member_that_grows_too_much_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/x.png", png(1)[:8] + bytes(30_000_000))
    with pytest.raises(Refused, match="would grow"):
        read_dataset(tmp_path / "d.zip", None, GREY)


def test_a_model_with_several_inputs_takes_no_pictures(tmp_path: Path) -> None:
    two = Signature((*GREY.inputs, TensorSpec("more", "float32", ("batch", 2))))
    with pytest.raises(Refused, match="2 inputs"):
        read_dataset(zipped(tmp_path / "d.zip", FOLDERS), None, two)
