"""Keras files: a model of Keras' own layers is taken, code and links are refused by name, and weights alone are explained."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from core.formats import FORMATS
from core.libraries import keras_files
from tests.formats import made_keras
from tests.formats.verdict import refused


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer encoder in a .keras file."""
    return made_keras.save("words", tmp_path_factory.mktemp("keras") / "words.keras")


def changed(source: Path, out: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Copy a .keras file with its configuration changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            new.writestr(name, data)
    return out


def entry(config: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the first layer of a class."""
    return next(layer for layer in config["config"]["layers"] if layer["class_name"] == kind)


def test_a_summary_tells_layers_shapes_and_weights(words: Path, tmp_path: Path) -> None:
    summary = FORMATS["keras"].inspect(words)
    assert [(s.name, s.dtype, s.shape) for s in summary.signature.inputs] == [("ids", "int32", ("batch", 12))]
    assert [s.name for s in summary.signature.outputs] == ["classes"]
    assert summary.parameters == made_keras.built("words").count_params()
    assert (summary.operators or {})["MultiHeadAttention"] == 1
    assert summary.producer == "Keras 3.15.1"
    assert FORMATS["keras"].graph(words, tmp_path / "graph.onnx")


CODE: dict[str, tuple[Callable[[dict[str, Any]], None], tuple[str, ...]]] = {
    "lambda layer": (lambda c: entry(c, "Dense").update(class_name="Lambda"), ("Lambda", "Python code")),
    "pickled module": (
        lambda c: entry(c, "Dense").update(class_name="TorchModuleWrapper"),
        ("TorchModuleWrapper", "pickled"),
    ),
    "other model": (lambda c: entry(c, "Dense").update(class_name="TFSMLayer"), ("TFSMLayer",)),
    "two custom layers": (
        lambda c: (
            entry(c, "Dense").update(class_name="Mine", module=None, registered_name="pack>Mine"),
            entry(c, "LayerNormalization").update(class_name="Yours", module="their.package"),
        ),
        ("pack>Mine", "Yours"),
    ),
    "foreign module": (lambda c: entry(c, "Dense").update(class_name="system", module="os"), ("system",)),
    "keras, but no layer": (
        lambda c: entry(c, "Dense").update(class_name="get_file", module="keras.utils"),
        ("get_file",),
    ),
    "hidden lambda": (
        lambda c: entry(c, "Dense")["config"].update(activation={"class_name": "__lambda__", "config": {"value": "x"}}),
        ("__lambda__",),
    ),
    "function by name": (
        lambda c: entry(c, "Dense")["config"].update(
            activation={"class_name": "function", "config": "load_model", "module": "keras.saving"}
        ),
        ("load_model",),
    ),
    "activation by name": (lambda c: entry(c, "Dense")["config"].update(activation="my_swish"), ("my_swish",)),
    "text layer": (lambda c: entry(c, "Dense").update(class_name="StringLookup"), ("StringLookup", "TensorFlow")),
}


@pytest.mark.parametrize("name", CODE)
def test_code_and_custom_layers_are_refused_by_name(name: str, words: Path, tmp_path: Path) -> None:
    change, said = CODE[name]
    words_of_refusal = refused(changed(words, tmp_path / "m.keras", change))
    assert all(word in words_of_refusal for word in said)


def test_what_it_was_trained_with_does_not_matter(words: Path, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["compile_config"] = {"loss": {"class_name": "MyLoss", "config": {}, "module": "mine"}}

    assert not refused(changed(words, tmp_path / "m.keras", change))


def h5(path: Path, write: Callable[[h5py.File], None]) -> Path:
    """Write an .h5 file of a model and change it."""
    made_keras.save("cnn", path)
    with h5py.File(path, "r+") as file:
        write(file)
    return path


def external_data(file: h5py.File) -> None:
    file["model_weights"].create_dataset("x", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (4,))
    file["model_weights"].create_virtual_dataset("x", layout)


LINKS: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "external link": (lambda f: f.__setitem__("model_weights/x", h5py.ExternalLink("/etc/other.h5", "/")), "link"),
    "soft link": (lambda f: f.__setitem__("model_weights/x", h5py.SoftLink("/model_weights")), "link"),
    "loop": (lambda f: f.__setitem__("model_weights/x", f["model_weights"]), "same object"),
    "external data": (external_data, "another file"),
    "virtual data": (virtual, "another file"),
    "bomb": (lambda f: f["model_weights"].create_dataset("x", (1 << 30,), "f4", chunks=(1 << 16,)), "almost nothing"),
    "reference": (lambda f: f["model_weights"].create_dataset("x", (1,), h5py.ref_dtype), "numbers"),
    "compound": (lambda f: f["model_weights"].create_dataset("x", (1,), np.dtype([("a", "f4")])), "numbers"),
    "reference attribute": (lambda f: f.attrs.__setitem__("x", f["model_weights"].ref), "attribute"),
    "no weights": (lambda f: f.__delitem__("model_weights"), "without weights"),
    "no configuration": (lambda f: f.attrs.__delitem__("model_config"), "not a Keras model"),
    "broken configuration": (lambda f: f.attrs.__setitem__("model_config", "{"), "not readable"),
}


@pytest.mark.parametrize("name", LINKS)
def test_what_leads_out_of_the_weights_is_refused(name: str, tmp_path: Path) -> None:
    write, word = LINKS[name]
    assert word in refused(h5(tmp_path / "m.h5", write))


def test_weights_alone_are_explained(tmp_path: Path) -> None:
    with keras_files.quiet():
        made_keras.built("cnn").save_weights(tmp_path / "m.weights.h5")
    assert "weights of a Keras model without its layers" in refused(tmp_path / "m.weights.h5")


def test_links_are_refused_inside_the_zip_as_well(words: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(words) as old, zipfile.ZipFile(tmp_path / "m.keras", "w") as new:
        (tmp_path / "w.h5").write_bytes(old.read("model.weights.h5"))
        with h5py.File(tmp_path / "w.h5", "r+") as file:
            file["layers/x"] = h5py.ExternalLink("/etc/other.h5", "/")
        for name in old.namelist():
            data = (tmp_path / "w.h5").read_bytes() if name.endswith("h5") else old.read(name)
            new.writestr(name, data)
    assert "link to another place" in refused(tmp_path / "m.keras")


def test_a_member_that_keras_does_not_write_is_refused(words: Path, tmp_path: Path) -> None:
    changed(words, tmp_path / "m.keras", lambda c: None)
    with zipfile.ZipFile(tmp_path / "m.keras", "a") as archive:
        archive.writestr("setup.py", b"print(1)")
    assert "setup.py" in refused(tmp_path / "m.keras")
