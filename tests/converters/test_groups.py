"""Converters that need an optional group, through the real sandbox; each is skipped with the reason where its group is not."""

import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from core.converters import CONVERTERS, route
from core.domain.errors import Refused
from core.domain.groups import GROUPS
from core.domain.report import Verdict
from core.memory.blobs import Blobs
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from core.verbs import convert, ingest
from tests.asking import ask
from tests.converters import small
from tests.formats import made_keras

pytestmark = pytest.mark.slow
DATA = Path(__file__).parent.parent / "formats" / "data"


class Steps(torch.nn.Module):
    """Two recurrent layers and a linear layer on the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = torch.nn.LSTM(6, 12, 2, batch_first=True), torch.nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [batch, 9, 6] to [batch, 4]."""
        return self.head(self.lstm(x)[0][:, -1])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture network, an encoder and a recurrent network as .pt2, TorchScript and ONNX."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(small.EXAMPLES, "steps", (Steps, "x", torch.zeros(2, 9, 6)))
        for name in ("pictures", "words", "steps"):
            with pytest.warns() if name == "steps" else pytest.MonkeyPatch.context():  # torch remarks on LSTM weights
                small.save_program(name, folder / f"{name}.pt2")
            small.save_script(name, folder / f"{name}.pt")
    for name in ("pictures", "words"):
        way = small.Way(folder / f"{name}.pt2", "torch_export_to_onnx", {})
        way.convert(folder).rename(folder / f"{name}.onnx")
    made_keras.save("words", folder / "words.keras")
    made_keras.save("cnn", folder / "cnn.h5")
    return folder


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    """A sandbox and blobs of the test's own."""
    home = tmp_path_factory.mktemp("home")
    sandbox = Sandbox(home / "scratch")
    yield Tools(Blobs(home / "blobs"), sandbox, lambda fraction, text: None, threading.Event())
    sandbox.close()


WAYS = [
    ("pictures.pt2", "torch_export_to_ncnn", {}),
    ("words.pt2", "torch_export_to_ncnn", {}),
    ("steps.pt2", "torch_export_to_ncnn", {}),
    ("pictures.pt", "torchscript_to_ncnn", {}),
    ("steps.pt", "torchscript_to_ncnn", {"shapes": "9x6"}),
    ("pictures.onnx", "onnx_to_ncnn", {}),
    ("pictures.pt2", "torch_export_to_executorch", {}),
    ("words.pt2", "torch_export_to_executorch", {"batch": 7}),
    ("pictures.pt2", "torch_export_to_litert", {}),
    ("words.pt2", "torch_export_to_litert", {}),
    ("pictures.pt2", "torch_export_to_coreml", {}),
    ("words.pt2", "torch_export_to_coreml", {"precision": "float16"}),
    ("steps.pt2", "torch_export_to_coreml", {"batch": 1}),
    ("words.keras", "keras_to_saved_model", {}),
    ("cnn.h5", "keras_h5_to_saved_model", {}),
]


def run(tools: Tools, source: Path, converter: str, options: dict[str, Any]) -> dict[str, Any]:
    """Convert through every wall, or skip with the reason."""
    entry = CONVERTERS[converter]
    if reason := entry.unavailable():
        pytest.skip(reason)
    blob = tools.blobs.put(source)
    read = ask(ingest, tools, {"sha256": blob.sha256, "size": blob.size, "name": source.name})
    args = {"sha256": blob.sha256, "size": blob.size, "format": read["format"], "name": source.name}
    return ask(convert, tools, {**args, "target": entry.target, "options": options, "artifact": None, "data": None})


def test_every_converter_of_a_group_has_a_way() -> None:
    ours = {converter.id for converter in CONVERTERS if converter.group is not None}
    assert {way[1] for way in WAYS} == ours
    assert all(route(CONVERTERS[way[1]].source, CONVERTERS[way[1]].target) for way in WAYS)


@pytest.mark.parametrize(("file", "converter", "options"), WAYS, ids=[f"{w[1]}-{w[0]}" for w in WAYS])
def test_output_equals_its_source(
    models: Path, tools: Tools, tmp_path: Path, file: str, converter: str, options: dict[str, Any]
) -> None:
    result = run(tools, models / file, converter, options)
    assert [step["transform"] for step in result["steps"]] == [converter]
    verdict = Verdict(result["parity"]["verdict"])
    if CONVERTERS[converter].target == "coreml":
        assert verdict is Verdict.NOT_PROVEN
        return
    assert verdict is Verdict.PASS, result["parity"]["reason"]
    assert {"random", "batch 1", "batch 3", "edge"} <= {check["name"] for check in result["parity"]["checks"]}
    replay(Path(tools.blobs.path(result["bundle"]["sha256"])), tmp_path)


@pytest.mark.parametrize("name", ["saved_model_softmax.zip", "saved_model_keras2.zip"])
def test_tensorflow_itself_answers_for_a_saved_model(tools: Tools, name: str) -> None:
    if reason := GROUPS["tensorflow"].unavailable():
        pytest.skip(reason)
    result = run(tools, DATA / name, "saved_model_to_openvino", {})
    assert result["parity"]["verdict"] == "PASS", result["parity"]["reason"]
    assert "tensorflow-cpu" in result["parity"]["versions"]


def replay(bundle: Path, folder: Path) -> None:
    """Run the bundle's own proof and its usage lines."""
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    for script, words in (("verify.py", "PASS"), ("use.py", "")):
        done = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        assert words in done.stdout


def test_ncnn_names_the_layer_that_it_has_not(models: Path, tools: Tools) -> None:
    with pytest.raises(Refused, match="Gather"):
        run(tools, models / "words.onnx", "onnx_to_ncnn", {})


@pytest.mark.parametrize(
    "converter", ["torch_export_to_litert", "torch_export_to_coreml", "torch_export_to_executorch"]
)
def test_an_operator_without_a_form_is_named(tools: Tools, tmp_path: Path, converter: str) -> None:
    class Odd(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.matrix_exp(x[:, None, :] * x[:, :, None]).sum(1)

    free = {"x": {0: torch.export.Dim("batch")}}
    torch.export.save(torch.export.export(Odd(), (torch.zeros(2, 4),), dynamic_shapes=free), tmp_path / "odd.pt2")
    with pytest.raises(Refused) as caught:
        run(tools, tmp_path / "odd.pt2", converter, {})
    assert "matrix_exp" in caught.value.message, caught.value.message
    assert caught.value.next_step
