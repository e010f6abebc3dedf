"""Conversions of the shipped samples, with their proof and their bundle."""

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
import torch

from core.calls.bench import Bench
from core.domain.codec import encode
from core.domain.errors import Refused
from core.domain.task import Task
from core.sandbox.tools import Tools
from core.verbs import convert, evaluate, ingest
from tests.asking import ask, ask_on
from tests.faults import Faulty, clipped
from tests.proof.planted import model

SAMPLES = Path(__file__).parent.parent / "sample_models"


def bring(tools: Tools, path: Path, data: Path | None = None, label: str | None = None) -> dict[str, Any]:
    """Ingest a file and return the arguments that name it."""
    blob = tools.blobs.put(path)
    found = ask(ingest, tools, {"sha256": blob.sha256, "size": blob.size, "name": path.name})
    stored = {"sha256": tools.blobs.put(data).sha256, "name": data.name, "label": label} if data else None
    return {
        "sha256": blob.sha256,
        "size": blob.size,
        "name": path.name,
        "format": found["format"],
        "artifact": None,
        "data": stored,
    }


CASES = [
    ("fashion_cnn", "model.pt2", "onnx"),
    ("fashion_cnn", "model.onnx", "ort"),
    ("penguins", "model.skops", "onnx"),
    ("segment", "model.skops", "onnx"),
    ("penguins", "model.skops", "pmml"),
    ("penguins", "model.skops", "python_source"),
    ("spam_transformer", "model.pt2", "onnx"),
    ("spam_transformer", "model.onnx", "openvino"),
]


@pytest.mark.parametrize(("folder", "file", "target"), CASES)
def test_sample_converts_with_proof_and_quality(
    tools: Tools, tmp_path: Path, folder: str, file: str, target: str
) -> None:
    card = json.loads((SAMPLES / folder / "card.json").read_text())
    args = bring(tools, SAMPLES / folder / file, SAMPLES / folder / card["data"]["file"], card["data"]["label"])
    result = ask(convert, tools, {**args, "target": target})
    assert result["parity"]["verdict"] == "PASS", result["parity"]
    assert {check["name"] for check in result["parity"]["checks"]} >= {"batch 1", "batch 3", "data"}
    before, after = result["quality"]["before"], result["quality"]["after"]
    assert before["correct"]["k"] == after["correct"]["k"] > 0.85 * before["correct"]["n"]
    assert ("Portolan's own scorer" in result["parity"]["reason"]) == (target == "pmml")
    replay_and_use(tools, result, tmp_path / "bundle")


def replay_and_use(tools: Tools, result: dict[str, Any], folder: Path) -> None:
    """Unpack a bundle, run what is in it, and see that a wrong checksum is noticed."""
    with zipfile.ZipFile(tools.blobs.path(result["bundle"]["sha256"])) as archive:
        archive.extractall(folder)
    for script in ("verify.py", "use.py"):
        done = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    spoil(folder / "card.json", json.loads((folder / "card.json").read_text())["artifact"]["sha256"])
    assert subprocess.run([sys.executable, "verify.py"], cwd=folder, capture_output=True).returncode == 1


def spoil(card: Path, sha256: str) -> None:
    """Claim another checksum for the model."""
    card.write_text(card.read_text().replace(sha256, "0" * 64))


def test_opset_is_the_one_that_was_asked_for(tools: Tools) -> None:
    args = bring(tools, SAMPLES / "fashion_cnn" / "model.onnx")
    result = ask(convert, tools, {**args, "target": "onnx", "options": {"opset": 17}})
    assert result["summary"]["opset"] == 17
    assert result["parity"]["verdict"] == "PASS"


def test_pickle_needs_consent_and_goes_by_skops(tools: Tools) -> None:
    args = bring(tools, SAMPLES / "penguins" / "model.joblib")
    with pytest.raises(Refused, match="program"):
        ask(convert, tools, {**args, "target": "onnx"})
    result = ask(convert, tools, {**args, "target": "onnx", "consent": True})
    assert [step["format"] for step in result["steps"]] == ["skops", "onnx"]
    assert result["parity"]["verdict"] == "PASS"


def test_skops_bundle_replays_with_scikit_learn(tools: Tools, tmp_path: Path) -> None:
    args = bring(tools, SAMPLES / "penguins" / "model.joblib")
    result = ask(convert, tools, {**args, "target": "skops", "consent": True})
    assert result["parity"]["max_abs"] == 0
    replay_and_use(tools, result, tmp_path / "bundle")


def test_planted_fault_is_caught_named_and_not_packed(tools: Tools) -> None:
    args = bring(tools, SAMPLES / "fashion_cnn" / "model.onnx")
    result = ask_on(convert, Faulty(tools), {**args, "target": "onnx", "options": {"opset": 18}})
    assert result["parity"]["verdict"] == "FAIL"
    assert result["bundle"] is None
    assert result["parity"]["diverges_at"]


def test_a_limit_that_only_the_result_has_is_looked_for(tools: Tools, tmp_path: Path) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> m (float[N,3] x) => (float[N,3] y) { c = Constant<value_float = 2.0>() y = Mul(x, c) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "twice.onnx")
    args = {**bring(tools, tmp_path / "twice.onnx"), "target": "onnx", "options": {"opset": 18}}
    assert ask(convert, tools, args)["parity"]["verdict"] == "PASS"
    found = ask_on(convert, Faulty(tools, clipped), args)["parity"]
    assert found["verdict"] == "FAIL"
    assert "The result changes its behaviour where the source does not" in found["reason"]


class Below(torch.nn.Module):
    """Says which numbers in float64 lie below a half."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x < 0.5


class Earlier(torch.nn.Module):
    """Says which of two numbers in float64 is smaller."""

    def forward(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return x < z


@pytest.mark.parametrize(("network", "inputs", "verdict"), [(Below(), 1, "FAIL"), (Earlier(), 2, "NOT PROVEN")])
def test_what_a_step_on_the_way_tells_is_asked_of_the_last(
    network: torch.nn.Module, inputs: int, verdict: str, tools: Tools, tmp_path: Path
) -> None:
    """OpenVINO compares float64 in float32; only the ONNX file between tells of the constant."""
    batch = torch.export.Dim("batch")
    given = tuple(torch.randn(4, 3, dtype=torch.float64) for _ in range(inputs))
    program = torch.export.export(network, given, dynamic_shapes=tuple({0: batch} for _ in given))
    torch.export.save(program, tmp_path / "compares.pt2")
    args = {**bring(tools, tmp_path / "compares.pt2"), "target": "onnx", "options": {}}
    assert ask(convert, tools, args)["parity"]["verdict"] == "PASS"
    found = ask(convert, tools, {**args, "target": "openvino"})["parity"]
    assert found["verdict"] == verdict, found["reason"]


def test_a_size_that_only_the_result_rejects_is_looked_for(tools: Tools, tmp_path: Path) -> None:
    """It takes all sizes up to 700, and so all that are asked by habit."""
    plain = "(float[N,T] x) => (float[N,1] y) { y = ReduceMean<axes = [1]>(x) }"
    limited = plain.replace(
        "y = ReduceMean<axes = [1]>(x)",
        "m = ReduceMean<axes = [1]>(x) s = Shape(x) i = Constant<value_int = 1>() t = Gather(s, i) k = Constant<value_int = 700>() "
        "c = Greater(t, k) w = Constant<value_ints = [1, 1]>() b = Cast<to = 7>(c) f = Constant<value_int = 5>() "
        "p = Mul(b, f) g = Gather(w, p) h = Cast<to = 1>(g) y = Mul(m, h)",
    )
    source, result = tmp_path / "mean.onnx", model(limited, {}).SerializeToString()
    onnx.save(model(plain, {}), source)
    args = {**bring(tools, source), "target": "onnx", "options": {"opset": 18}}
    found = ask_on(convert, Faulty(tools, lambda _: result), args)["parity"]
    assert found["verdict"] == "NOT PROVEN", found
    assert "rejects sizes that the source takes: 701" in found["reason"]


def test_a_weight_that_no_sample_reaches_is_looked_for(tools: Tools, tmp_path: Path) -> None:
    """One of 90,000 rows of a table is lost; no proof can ask them all."""
    text = "(int64[N,6] x) => (float[N,6,4] y) { y = Gather(w, x) }"
    table = np.random.default_rng(5).standard_normal((90_000, 4)).astype(np.float32)
    onnx.save(model(text, {"w": table}), tmp_path / "table.onnx")
    args = {**bring(tools, tmp_path / "table.onnx"), "target": "onnx", "options": {"opset": 18}}
    right = ask(convert, tools, args)["parity"]
    assert right["verdict"] == "PASS"
    assert "The one weight tensor of the source is in the result (1 unchanged)." in right["reason"]
    assert right["reason"].endswith("it is the same network.")
    weights = {"tensors": 1, "found": {"unchanged": 1}, "missing": [], "changed": []}
    assert right["weights"] == weights | {
        "operators": {"operators": 1, "found": 1, "rest": {}, "more": {}, "same": True}
    }

    table[77_777] = 0
    lost = model(text, {"w": table}).SerializeToString()
    found = ask_on(convert, Faulty(tools, lambda _: lost), args)["parity"]
    assert found["verdict"] == "NOT PROVEN", found
    assert "'w' (90000 x 4): 4 of 360,000 numbers differ, the first at [77777, 0] of the result" in found["reason"]


def test_what_only_float32_loses_is_proven_and_replayed(tools: Tools, tmp_path: Path) -> None:
    """Sums of large products: two engines that add in another order differ beyond the tolerance, near zero."""
    rng = np.random.default_rng(5)
    tables = {
        "w": (rng.standard_normal((512, 64)) * 100).astype(np.float32),
        "v": rng.standard_normal((64, 8)).astype(np.float32),
    }
    text = "(float[N,512] x) => (float[N,8] y) { h = MatMul(x, w) r = Relu(h) y = MatMul(r, v) }"
    onnx.save(model(text, tables), tmp_path / "sums.onnx")
    result = ask(convert, tools, {**bring(tools, tmp_path / "sums.onnx"), "target": "openvino"})
    assert result["parity"]["verdict"] == "PASS", result["parity"]
    own = sum(check["own"] for check in result["parity"]["checks"])
    assert own > 0
    assert "times what float32 loses in the source itself" in result["parity"]["reason"]
    replay_and_use(tools, result, tmp_path / "bundle")


class Listening(Bench):
    """Remembers which blobs each call was given."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self.heard: list[tuple[str, set[str]]] = []

    def call(self, call: Any, request: Any, blobs: Any, *rest: Any, **more: Any) -> Any:
        """Make the call."""
        self.heard.append((call.name, set(blobs.values())))
        return super().call(call, request, blobs, *rest, **more)


def test_float64_is_asked_of_the_first_source_on_every_step(tools: Tools, tmp_path: Path) -> None:
    """What a step in between loses by its own conversion excuses nothing."""
    torch.manual_seed(5)
    net = torch.nn.Sequential(torch.nn.Linear(512, 64, bias=False), torch.nn.ReLU(), torch.nn.Linear(64, 8, bias=False))
    with torch.no_grad():
        net[0].weight.normal_(0, 100)
        net[2].weight.normal_(0, 1)
    batch = torch.export.Dim("batch", min=1, max=512)
    torch.export.save(
        torch.export.export(net, (torch.randn(4, 512),), dynamic_shapes=({0: batch},)), tmp_path / "n.pt2"
    )
    bench, args = Listening(tools), bring(tools, tmp_path / "n.pt2")
    steps = ask_on(convert, bench, {**args, "target": "openvino"})["steps"]
    assert [step["parity"]["verdict"] for step in steps] == ["PASS", "PASS"], steps
    asked = [blobs for name, blobs in bench.heard if name == "float64"]
    assert asked
    assert all(args["sha256"] in blobs for blobs in asked)


def test_a_model_that_the_converter_refuses_is_refused_before_its_answers_are_recorded(tools: Tools) -> None:
    bench, args = Bench(tools), bring(tools, SAMPLES / "segment" / "model.onnx")
    with pytest.raises(Refused, match="TreeEnsembleClassifier"):
        ask_on(convert, bench, {**args, "target": "openvino"})
    assert {key[0] for key in bench.remembered} <= {"inspect"}
    ask_on(convert, bench, {**args, "target": "ort"})
    assert sorted(key[0] for key in bench.remembered).count("convert") == 1


def test_a_metric_that_does_not_fit_is_refused_before_the_proof(tools: Tools) -> None:
    folder, said = SAMPLES / "fashion_cnn", list[str]()
    args = bring(tools, folder / "model.onnx", folder / "test.npz")
    args["data"]["task"] = encode(Task(metric="mean_absolute_error"))
    other = {name: value for name, value in args.items() if name != "data"}
    telling = replace(tools, progress=lambda fraction, text: said.append(text))
    for verb, more, last in (
        (convert, {"target": "ort"}, "Measuring the source model on the data"),
        (evaluate, {"against": other}, "Recording the answers of the model to compare with"),
    ):
        with pytest.raises(Refused, match="Mean absolute error is not defined"):
            ask(verb, telling, {**args, **more})
        assert said[-1] == last


def test_unknown_option_is_refused_before_any_work(tools: Tools) -> None:
    args = bring(tools, SAMPLES / "fashion_cnn" / "model.onnx")
    with pytest.raises(Refused, match="no option called colour"):
        ask(convert, tools, {**args, "target": "onnx", "options": {"colour": "red"}})


def test_no_route_is_refused_in_words(tools: Tools) -> None:
    args = bring(tools, SAMPLES / "fashion_cnn" / "model.pt")
    with pytest.raises(Refused):
        ask(convert, tools, {**args, "target": "onnx"})


def test_equal_work_gives_an_equal_bundle(tools: Tools) -> None:
    args = bring(tools, SAMPLES / "penguins" / "model.skops")
    first, second = (ask(convert, tools, {**args, "target": "onnx"}) for _ in range(2))
    assert first["artifact"] == second["artifact"]


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler on this machine")
def test_c_source_is_not_proven_here_and_replays_on_a_machine_with_a_compiler(tools: Tools, tmp_path: Path) -> None:
    args = bring(tools, SAMPLES / "penguins" / "model.skops")
    result = ask(convert, tools, {**args, "target": "c_source"})
    assert [step["format"] for step in result["steps"]] == ["pmml", "c_source"]
    assert result["parity"]["verdict"] == "NOT PROVEN"
    assert "compiler" in result["parity"]["reason"]
    replay_and_use(tools, result, tmp_path / "bundle")


def test_what_a_result_lost_is_told_and_lies_in_the_card(tools: Tools, tmp_path: Path) -> None:
    """torch names outputs itself; the entries of the file travel."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        scaled (float[N, 4] pixels) => (float[N, 4] chances) { chances = Mul(pixels, pixels) }"""
    )
    model.metadata_props.add(key="labels", value="ant,bee")
    onnx.save(model, tmp_path / "m.onnx")
    result = ask(convert, tools, {**bring(tools, tmp_path / "m.onnx"), "target": "torch_export"})
    (sentence,) = result["lost"]
    assert sentence.startswith("The outputs have other names: chances is ")
    assert result["steps"][-1]["summary"]["notes"]["metadata"] == {"labels": "ant,bee"}
    with zipfile.ZipFile(tools.blobs.path(result["bundle"]["sha256"])) as archive:
        assert json.loads(archive.read("card.json"))["lost"] == [sentence]
    assert ask(convert, tools, {**bring(tools, tmp_path / "m.onnx"), "target": "openvino"})["lost"] == []
