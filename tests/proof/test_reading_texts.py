"""A network that reads: its alphabet is found in the file, its texts are compared with the labels, and a variant that reads nothing shows."""

import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnx.helper as oh
import pytest
from PIL import Image

from core.decoding import DECODINGS, decoded, normal
from core.domain.errors import Refused
from core.domain.recipe import Step
from core.domain.runtime import Session
from core.proof import preview, quality, scoring
from core.proof.dataset import Asked
from core.proof.datasets import read_dataset
from core.proof.pictures import Pictures
from core.runtimes import RUNTIMES
from core.sandbox.tools import Tools
from core.verbs import evaluate
from tests.asking import ask
from tests.test_convert import bring

LEVELS = {" ": 255, "a": 85, "b": 170}
"""Brightness of the block that stands for a character; a dark one is a blank."""
WIDTH = 8 * 12


def reader(path: Path, alphabet: str = "a\nb") -> Session:
    """Write and open a network that takes the mean of each block of 8 by 48 for a character: blank, a, b, space from dark to bright."""
    levels = np.array([-1, -1 / 3, 1 / 3, 1], np.float32).reshape(1, 1, 4)
    nodes = [
        oh.make_node("ReduceMean", ["x"], ["grey"], axes=[1], keepdims=1),
        oh.make_node("AveragePool", ["grey"], ["blocks"], kernel_shape=[48, 8], strides=[48, 8]),
        oh.make_node("Reshape", ["blocks", "steps"], ["column"]),
        oh.make_node("Sub", ["column", "levels"], ["apart"]),
        oh.make_node("Abs", ["apart"], ["distance"]),
        oh.make_node("Neg", ["distance"], ["scores"]),
    ]
    known = onnx.numpy_helper.from_array(levels, "levels"), onnx.numpy_helper.from_array(np.array([0, -1, 1]), "steps")
    sides = (
        [oh.make_tensor_value_info("x", 1, ["n", 3, 48, WIDTH])],
        [oh.make_tensor_value_info("scores", 1, ["n", "t", 4])],
    )
    model = oh.make_model(oh.make_graph(nodes, "reader", *sides, list(known)), opset_imports=[oh.make_opsetid("", 13)])
    model.ir_version = 8
    entry = model.metadata_props.add()
    entry.key, entry.value = "character", alphabet
    onnx.save(model, path)
    return RUNTIMES["onnxruntime"].open(path, "onnx")


def written(text: str) -> bytes:
    """Draw a text as the network reads it: a block for each character and a dark one behind it."""
    blocks = [level for letter in text for level in (LEVELS[letter], 0)]
    row = np.repeat(np.array([*blocks, *[0] * (WIDTH // 8 - len(blocks))], np.uint8), 8)
    out = io.BytesIO()
    Image.fromarray(np.tile(row[:, None], (48, 1, 3)).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


TEXTS = ["ab", "aab", "b", "a b", "bbb", "aba", "ba", "b a"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Pictures of words with their labels; the last label is wrong."""
    path = tmp_path / "words.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for place, text in enumerate(TEXTS):
            archive.writestr(f"{place}.png", written(text))
        labels = [*TEXTS[:-1], "bb"]
        archive.writestr("labels.csv", "\n".join(["file,text", *(f"{n}.png,{text}" for n, text in enumerate(labels))]))
    return path


def read(path: Path, session: Session) -> Pictures:
    """Read pictures for a network whose task is guessed."""
    found = read_dataset(path, Asked(metadata=session.metadata), session.signature)
    assert isinstance(found, Pictures)
    return found


def test_words_are_read_with_the_alphabet_of_the_file(data: Path, tmp_path: Path) -> None:
    session = reader(tmp_path / "m.onnx")
    dataset = read(data, session)
    found = quality.evaluate(session, dataset)
    assert found.correct is not None
    assert (found.correct.k, found.correct.n, found.classes, found.unmet, found.doubt) == (7, 8, {}, None, "")
    assert any("Answers: Read text (CTC)" in note for note in found.notes)
    shown = preview.shown(session, dataset)
    assert (shown[0].answer, shown[0].label, shown[-1].answer, shown[-1].label) == ("ab", "ab", "b a", "bb")


def test_texts_that_are_lost_count_with_and_without_labels(data: Path, tmp_path: Path) -> None:
    session, turned = reader(tmp_path / "m.onnx"), reader(tmp_path / "t.onnx", "b\na")
    dataset = read(data, session)
    before = quality.answers(session, dataset)
    after = quality.answers(turned, read(data, turned))
    assert quality.one_by_one(after, dataset).quality.correct is not None
    assert scoring.score(before, after, dataset.labels).loss.share > 0.8
    changes = scoring.changes(before, after)
    assert changes is not None
    assert (changes.k, changes.n) == (8, 8)
    blind = [np.full(8, "zzz")]
    assert "Not one text is read right" in quality.one_by_one(blind, dataset).quality.doubt


SCORES = np.zeros((1, 6, 3), np.float32)
SCORES[0, range(6), [1, 1, 0, 1, 2, 0]] = 1


@pytest.mark.parametrize(("blank", "text"), [("first", "aab"), ("last", "baba")])
def test_repetitions_and_blanks_are_left_out(blank: str, text: str) -> None:
    found = decoded([SCORES], Step("ctc", {"alphabet": "a\nb", "blank": blank}))
    assert found[0].tolist() == [text]


def test_what_does_not_fit_is_refused_in_words() -> None:
    with pytest.raises(Refused, match="3 characters, and the model 2 classes"):
        decoded([SCORES], Step("ctc", {"alphabet": "a\nb\nc"}))
    with pytest.raises(Refused, match="no scores"):
        decoded([SCORES[0]], Step("ctc", {"alphabet": "a\nb"}))
    with pytest.raises(Refused, match="no decoding called"):
        normal(Step("read"))
    assert all(entry.to_json()["options"] for entry in DECODINGS)


def test_what_is_made_of_a_reader_is_asked_as_the_reader_even_where_it_has_lost_the_alphabet(
    tools: Tools, data: Path, tmp_path: Path
) -> None:
    reader(tmp_path / "source.onnx")
    bare = onnx.load(tmp_path / "source.onnx")
    del bare.metadata_props[:]
    onnx.save(bare, tmp_path / "bare.onnx")
    source = bring(tools, tmp_path / "source.onnx")
    against = {name: value for name, value in source.items() if name != "data"}
    found = ask(evaluate, tools, {**bring(tools, tmp_path / "bare.onnx", data), "against": against})
    assert found["against"]["parity"]["verdict"] == "PASS"
    assert (
        found["quality"]["correct"]
        == found["against"]["quality"]["correct"]
        == {"k": 7, "n": 8, "interval": pytest.approx([0.5291, 0.9776], abs=1e-3)}
    )
