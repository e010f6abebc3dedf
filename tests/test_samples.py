"""The shipped samples are what their cards say: same bytes, and the same right answers k of n."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import skops.io
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

from sample_models import fashion, score
from sample_models.card import fingerprint

ROOT = Path(fashion.__file__).parent
CARDS = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(ROOT.glob("*/card.json"))}
FILES = [(name, row["name"]) for name, card in CARDS.items() for row in card["files"]]
FORMATS = {"torch_export", "torch_checkpoint", "onnx", "torchscript", "skops", "pickle"}
KEYS = {"id", "title", "task", "sentence", "preprocessing", "dataset", "classes", "licence", "main", "files", "data"}
SCORES = {**score.SCORES, "torch_checkpoint": fashion.weights_score}
each_card = pytest.mark.parametrize("name", CARDS)
each_file = pytest.mark.parametrize(("name", "file"), FILES)


def shipped(name: str) -> tuple[Any, np.ndarray]:
    """Return the test rows and labels of a sample."""
    data = CARDS[name]["data"]
    path = ROOT / name / data["file"]
    if path.suffix == ".npz":
        arrays = np.load(path, allow_pickle=False)
        return arrays["x"], arrays[data["label"]]
    table = pd.read_csv(path)
    rows = table.drop(columns=data["label"])
    numeric = all(pd.api.types.is_numeric_dtype(kind) for kind in rows.dtypes)
    return (rows.to_numpy(np.float32) if numeric else rows), table[data["label"]].to_numpy()


def row(name: str, file: str) -> dict[str, Any]:
    """Return the row of a file in its card."""
    return next(row for row in CARDS[name]["files"] if row["name"] == file)


def test_every_sample_has_a_folder_with_a_card() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert set(CARDS) == folders
    assert len(folders) >= 4


def test_all_samples_together_stay_under_ten_megabytes() -> None:
    assert sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file()) <= 10_000_000


@each_card
def test_card_is_complete(name: str) -> None:
    card = CARDS[name]
    assert set(card) >= KEYS | {"accuracy", "training", "versions"}
    assert card["id"] == name
    assert all(card[key] for key in KEYS)
    assert set(card["dataset"]) == {"name", "source", "licence", "credit"}
    assert all(card["dataset"].values())
    assert {row["format"] for row in card["files"]} <= FORMATS
    assert card["main"] in {row["name"] for row in card["files"]}


@each_card
def test_folder_holds_what_the_card_lists_and_nothing_else(name: str) -> None:
    card = CARDS[name]
    listed = {row["name"] for row in card["files"]} | {card["data"]["file"], "card.json"}
    assert {path.name for path in (ROOT / name).iterdir()} == listed


@each_card
def test_hash_and_size_are_those_of_the_bytes(name: str) -> None:
    for entry in [*CARDS[name]["files"], {"name": CARDS[name]["data"]["file"], **CARDS[name]["data"]}]:
        assert fingerprint(ROOT / name / entry["name"]) == {key: entry[key] for key in ("sha256", "size")}


@each_card
def test_accuracy_is_its_own_fraction(name: str) -> None:
    accuracy = CARDS[name]["accuracy"]
    assert accuracy["value"] == round(accuracy["k"] / accuracy["n"], 4)
    assert accuracy["n"] >= CARDS[name]["data"]["rows"] == len(shipped(name)[1])


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated:DeprecationWarning")
@each_file
def test_file_answers_as_its_card_says(name: str, file: str) -> None:
    inputs, labels = shipped(name)
    entry = row(name, file)
    predicted = SCORES[entry["format"]](ROOT / name / file, inputs)
    assert (int((predicted == labels).sum()), len(labels)) == (entry["k"], entry["n"])


@each_card
def test_readme_gives_the_figures_of_the_card(name: str) -> None:
    card = CARDS[name]
    right = f"{card['accuracy']['k']:,} of {card['accuracy']['n']:,} ({100 * card['accuracy']['value']:.1f} %)"
    line = next(line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if f"`{name}/`" in line)
    assert right in line
    assert card["licence"] in line
    assert all(f"`{row['name']}`" in line for row in card["files"])


@each_file
def test_file_names_no_place_of_the_machine_that_built_it(name: str, file: str) -> None:
    content = (ROOT / name / file).read_bytes()
    assert not [
        place
        for place in (b"site-packages", b"stack_trace", b"/home/", b"/root/", b"/tmp/", str(ROOT).encode())
        if place in content
    ]


@pytest.mark.parametrize(("name", "file"), [pair for pair in FILES if pair[1].endswith(".onnx")])
def test_onnx_has_a_free_batch_and_a_widely_read_opset(name: str, file: str) -> None:
    model = onnx.load(ROOT / name / file)
    assert {entry.domain: entry.version <= 20 for entry in model.opset_import}[""]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = shipped(name)[0]
    for batch in (1, 3):
        assert len(session.run(None, {"x": rows[:batch]})[0]) == batch


def test_fashion_network_is_right_on_91_of_100_test_pictures() -> None:
    accuracy = CARDS["fashion_cnn"]["accuracy"]
    assert accuracy["n"] == 10_000
    assert accuracy["k"] >= 9_100


def test_spam_rows_of_padding_alone_give_finite_answers() -> None:
    session = onnxruntime.InferenceSession(ROOT / "spam_transformer" / "model.onnx", providers=["CPUExecutionProvider"])
    assert np.isfinite(session.run(None, {"x": np.zeros((2, 128), np.int64)})[0]).all()


def test_penguins_pipeline_converts_to_onnx_with_the_same_answers() -> None:
    rows, labels = shipped("penguins")
    pipeline = skops.io.load(ROOT / "penguins" / "model.skops", trusted=score.TRUSTED)
    columns = {
        name: rows[[name]].to_numpy(np.float32 if kind == "float64" else object) for name, kind in rows.dtypes.items()
    }
    kinds = {True: StringTensorType, False: FloatTensorType}
    types = [(name, kinds[values.dtype == object]([None, 1])) for name, values in columns.items()]
    converted = to_onnx(pipeline, initial_types=types, options={"zipmap": False})
    session = onnxruntime.InferenceSession(converted.SerializeToString(), providers=["CPUExecutionProvider"])
    assert (session.run(None, columns)[0] == pipeline.predict(rows)).all()
    assert len(labels) == 100
