"""Models that Keras rebuilds here answer as those that were saved, whichever version wrote them; what cannot is said in words."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from core.domain.errors import Refused
from core.libraries import keras_files
from core.libraries.keras_files import export
from core.libraries.keras_files.session import KerasSession
from tests.formats import made_keras


def answers(model: Any, inputs: list[Any]) -> list[Any]:
    """Return what a model answers to arrays in the order of its inputs."""
    session = KerasSession(model)
    return list(
        session.run({s.name: array for s, array in zip(session.signature.inputs, inputs, strict=True)}).values()
    )


@pytest.mark.parametrize("name", ["words", "series"])
def test_a_file_of_keras_2_answers_as_the_model_that_wrote_it(name: str, tmp_path: Path) -> None:
    model = made_keras.old(name, tmp_path / "m.h5")
    inputs = [np.random.default_rng(0).integers(0, 50, (3, *t.shape[1:])).astype(t.dtype) for t in model.inputs]
    again = keras_files.load(tmp_path / "m.h5", "keras_h5")
    for a, b in zip(answers(model, inputs), answers(again, inputs), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_an_operator_is_not_taken_for_the_layer_of_its_name(tmp_path: Path) -> None:
    made_keras.save("words", tmp_path / "m.h5")
    model = keras_files.load(tmp_path / "m.h5", "keras_h5")
    assert {type(one).__module__ for one in model.operations if type(one).__name__ == "Add"} == {
        "keras.src.ops.numpy",
        "keras.src.layers.merging.add",
    }


def test_inputs_in_a_dict_keep_their_names_and_their_bounds(tmp_path: Path) -> None:
    session = KerasSession(keras_files.load(made_keras.save("two sides", tmp_path / "m.keras"), "keras"))
    assert [(s.name, s.dtype, s.shape) for s in session.signature.inputs] == [
        ("ids", "float32", ("batch", 5)),
        ("numbers", "float32", ("batch", 3)),
    ]
    assert (session.domains["ids"].bound, session.domains["numbers"].kind) == (20, "normal")
    answer = session.run({"ids": np.full((2, 5), 19, np.float32), "numbers": np.zeros((2, 3), np.float32)})
    assert {name: array.shape for name, array in answer.items()} == {"score": (2, 1), "kind": (2, 4)}


def test_what_was_never_built_is_refused(tmp_path: Path) -> None:
    keras = keras_files.library()
    with keras_files.quiet():
        keras.Sequential([keras.layers.Dense(2)]).save(tmp_path / "m.keras")
    with pytest.raises(Refused, match="before it was built"):
        keras_files.load(tmp_path / "m.keras", "keras")


def test_a_setting_that_keras_3_lacks_is_refused_where_it_changes_the_answer(tmp_path: Path) -> None:
    made_keras.old("series", tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file.attrs["model_config"] = str(file.attrs["model_config"]).replace(
            '"time_major": false', '"time_major": true'
        )
    with pytest.raises(Refused, match="time_major"):
        keras_files.load(tmp_path / "m.h5", "keras_h5")


def test_nothing_is_built_that_the_audit_would_refuse(tmp_path: Path) -> None:
    made_keras.save("cnn", tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as old, zipfile.ZipFile(tmp_path / "bad.keras", "w") as new:
        config = json.loads(old.read("config.json"))
        config["config"]["layers"][1]["class_name"] = "Lambda"
        new.writestr("config.json", json.dumps(config))
        new.writestr("model.weights.h5", old.read("model.weights.h5"))
    with pytest.raises(Refused, match="Lambda"):
        keras_files.load(tmp_path / "bad.keras", "keras")


def test_a_program_learns_again_and_names_nothing_of_this_machine(tmp_path: Path) -> None:
    import torch

    model = keras_files.load(made_keras.save("words", tmp_path / "m.keras"), "keras")
    export.to_program(model, tmp_path / "m.pt2")
    module = torch.export.load(tmp_path / "m.pt2").module()
    names = {name for name, _ in module.named_parameters()}
    assert {"embedding.embeddings", "multi_head_attention.query.kernel", "classes.bias"} <= {
        re.sub(r"_\d+(?=\.)", "", name) for name in names
    }
    module(torch.zeros(3, 12, dtype=torch.int32))[0].sum().backward()
    assert all(weight.grad is not None for weight in module.parameters())
    with zipfile.ZipFile(tmp_path / "m.pt2") as archive:
        text = b"".join(archive.read(name) for name in archive.namelist())
    assert str(Path(keras_files.__file__).parents[2]).encode() not in text


def test_a_size_that_the_exporter_would_fix_is_refused_with_the_layers_that_do_so(tmp_path: Path) -> None:
    keras = keras_files.library()
    layers = keras.layers
    model = keras.Sequential([keras.Input((5,), dtype="int32"), layers.Embedding(9, 3, mask_zero=True), layers.LSTM(2)])
    with pytest.raises(Refused, match=r"as a constant \(batch\).* Embedding, LSTM"):
        export.to_program(model, tmp_path / "m.pt2")
