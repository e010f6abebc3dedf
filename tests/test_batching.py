"""Inputs that hold their samples elsewhere than first: a state along its second dimension, a rate that all samples share."""

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from core.domain import batching
from core.domain.errors import Refused
from core.domain.report import Verdict
from core.domain.transform import Tolerance
from core.doors.commands import main
from core.onnx import calibration, linear_layers
from core.proof import golden, parity, probes, speed
from core.proof.dataset import Dataset
from core.proof.datasets import read_dataset
from core.proof.predictions import changed, counted, prediction
from core.runtimes.onnxruntime import RUNTIME
from core.techniques import TECHNIQUES
from tests.techniques.samples import apply

N = 60
TEXT = """<ir_version: 8, opset_import: ["" : 17]>
m (float[%s, 24] input, float[2, %s, 16] state, int64 sr) => (float[%s, 1] output, float[2, %s, 16] stateN)
<int64 first = {0}, int64 usual = {16000}> {
    s = Gather <axis = 0> (state, first)
    a = MatMul (input, w1)  b = MatMul (s, w2)  c = Add (a, b)  h = Tanh (c)
    yes = Equal (sr, usual)  k = Cast <to = 1> (yes)  g = Mul (h, k)
    z = MatMul (g, w3)  output = Sigmoid (z)
    two = Concat <axis = 1> (input, g)
    n = MatMul (two, w4)  t = Tanh (n)  u = Unsqueeze (t, axes0)  stateN = Concat <axis = 0> (u, u)
}"""


def recurrent(path: Path, batch: str = "N") -> None:
    """Write a step of a recurrent network with the inputs of a public voice detector."""
    model, draw = parser.parse_model(TEXT % ((batch,) * 4)), np.random.default_rng(3)
    for name, shape in {"w1": (24, 16), "w2": (16, 16), "w3": (16, 1), "w4": (40, 16)}.items():
        model.graph.initializer.append(numpy_helper.from_array(draw.normal(size=shape).astype(np.float32) / 3, name))
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "axes0"))
    onnx.save(model, path)


def arrays(state_first: bool) -> dict[str, Any]:
    """Return samples, with the state as the model takes it or one row a sample."""
    draw = np.random.default_rng(4)
    state = draw.normal(size=(N, 2, 16)).astype(np.float32)
    return {
        "input": draw.normal(size=(N, 24)).astype(np.float32),
        "state": state.transpose(1, 0, 2) if state_first else state,
        "sr": np.array(16000) if state_first else np.full(N, 16000),
    }


def data(tmp_path: Path, source: Path, held: dict[str, Any]) -> Dataset:
    """Store arrays and read them for a model."""
    np.savez(tmp_path / "d.npz", **held)
    return read_dataset(tmp_path / "d.npz", None, RUNTIME.open(source, "onnx").signature)


def test_axes_are_read_off_the_shapes() -> None:
    free = {"x": ("n", "t"), "state": (2, "n", 8), "rate": (), "table": (4, 8), "ids": (1, "k")}
    assert batching.axes(free) == {"x": 0, "state": 1, "rate": None, "table": None, "ids": None}
    assert batching.axes({"x": (None, None), "state": (2, None, 8)}) == {"x": 0, "state": 1}
    fixed = {"x": (1, 576), "state": (2, 1, 128)}
    assert batching.axes(fixed) == {"x": 0, "state": 1}
    assert batching.batch(fixed) == 1
    assert batching.batch(free) is None


@pytest.mark.parametrize("state_first", [True, False])
def test_data_fits_either_way(tmp_path: Path, state_first: bool) -> None:
    recurrent(tmp_path / "m.onnx")
    found = data(tmp_path, tmp_path / "m.onnx", arrays(state_first))
    three = found.rows(0, 3)
    assert {name: array.shape for name, array in three.items()} == {"input": (3, 24), "state": (2, 3, 16), "sr": ()}
    np.testing.assert_array_equal(three["state"][:, 1], arrays(False)["state"][1])
    assert found.half("test").n + found.half("calibration").n == N
    assert RUNTIME.open(tmp_path / "m.onnx", "onnx").run(three)["output"].shape == (3, 1)


def test_what_samples_share_must_be_one_value(tmp_path: Path) -> None:
    recurrent(tmp_path / "m.onnx")
    with pytest.raises(Refused, match="'sr' takes one value for all samples"):
        data(tmp_path, tmp_path / "m.onnx", {**arrays(False), "sr": np.arange(N)})
    with pytest.raises(Refused, match="'sr' takes one number, but the data set has 60 x 2"):
        data(tmp_path, tmp_path / "m.onnx", {**arrays(False), "sr": np.zeros((N, 2))})


@pytest.mark.parametrize("batch", ["N", "1"])
def test_techniques_that_learn_are_given_samples_as_the_model_takes_them(tmp_path: Path, batch: str) -> None:
    source, out = tmp_path / "m.onnx", tmp_path / "out.onnx"
    recurrent(source, batch)
    samples = data(tmp_path, source, arrays(False)).samples(0, N)
    apply("static_int8", source, out, samples)
    one, other = (calibration.joined(calibration.session(path, "all"), samples) for path in (source, out))
    assert calibration.signal_to_noise(one, other) > 20
    model = onnx.load(source)
    layers = {one.weight.name: one for one in linear_layers.layers(model, 256)}
    assert linear_layers.moments(model, model, layers["w2"], samples).inputs.shape == (17, 17)


def test_the_proof_counts_samples_and_not_the_rows_of_a_state(tmp_path: Path) -> None:
    source, out = tmp_path / "m.onnx", tmp_path / "out.onnx"
    recurrent(source)
    held = data(tmp_path, source, arrays(False))
    apply(TECHNIQUES["float16"].id, source, out, {})
    probes.record(RUNTIME.open(source, "onnx"), 1, held, tmp_path / "g.npz")
    found = parity.compare(RUNTIME.open(out, "onnx"), tmp_path / "g.npz", Tolerance(1e9, 1e9), 1)
    flips = next(check.flips for check in found.checks if check.name == "data")
    assert flips is not None
    assert flips.n == N
    inputs, batch = golden.read(tmp_path / "g.npz").ordinary(1)
    assert {name: array.shape for name, array in inputs.items()} == {"input": (1, 24), "state": (2, 1, 16), "sr": ()}
    pair = (lambda: RUNTIME.open(source, "onnx"), lambda: RUNTIME.open(out, "onnx"))
    assert speed.race(*pair, inputs, batch, 1, 0.2)


def test_a_model_that_takes_one_length_alone_is_compressed_down_to_the_bundle(tmp_path: Path) -> None:
    source, out = tmp_path / "m.onnx", tmp_path / "out.onnx"
    recurrent(source)
    model = onnx.load(source)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "length"
    onnx.save(model, source)
    np.savez(tmp_path / "d.npz", **arrays(True))
    words = ["compress", source, "--technique", "float16", "--data", tmp_path / "d.npz", "--max-drop", "0.5"]
    assert main([*map(str, words), "-o", str(out), "--bundle", str(tmp_path / "b.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        archive.extractall(tmp_path / "bundle")
    replay = subprocess.run([sys.executable, "verify.py"], cwd=tmp_path / "bundle", capture_output=True, text=True)
    assert replay.returncode == 0, replay.stdout + replay.stderr


def test_masks_and_yes_or_no_beside_a_state_are_predictions() -> None:
    mask = np.linspace(0, 1, 24).reshape(2, 1, 3, 4).astype(np.float32)
    found = prediction([mask])
    assert found is not None
    assert found[0].shape == (24, 1)
    there = np.array([[1], [0], [0], [0]])
    assert changed(there, np.zeros_like(there)).tolist() == [True, False, False, False]
    assert counted(there, np.zeros_like(there), 1) == 1
    assert counted(there, there, 4) == 4
    odds, state = np.array([[0.2], [0.9]], np.float32), np.ones((2, 2, 8), np.float32)
    found = prediction([odds, state])
    assert found is not None
    assert found[0].reshape(-1).tolist() == [0, 1]
    below = prediction([mask - 1e-9], [mask])
    assert below is not None
    assert below[0].shape == (24, 1)


def test_layers_in_branches_are_named_wherever_their_weights_lie(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (float[N, 40] x, int64 rate) => (float[N, 64] y) <int64 usual = {16000}> {
        yes = Equal (rate, usual)
        y = If (yes) <then_branch = a () => (float[N, 64] z) { z = MatMul (x, outer) },
                      else_branch = b () => (float[N, 64] z) { t = MatMul (x, outer) z = Relu (t) }>
    }"""
    model = parser.parse_model(text)
    values = np.random.default_rng(1).normal(size=(40, 64)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(values, "outer"))
    onnx.save(model, tmp_path / "m.onnx")
    samples = {"x": np.random.default_rng(2).normal(size=(32, 40)).astype(np.float32), "rate": np.full(32, 16000)}
    learning = (
        "static_int8",
        "weights_gptq",
        "codebooks_second_order",
        "prune_second_order",
        "prune_channels",
        "low_rank",
    )
    for technique in learning:
        with pytest.raises(Refused, match=r"branches or loops.*outer") as refusal:
            apply(technique, tmp_path / "m.onnx", tmp_path / "out.onnx", samples)
        assert "float16" in refusal.value.next_step


def test_samples_lie_along_the_dynamic_dimension_that_all_inputs_share() -> None:
    """Steps come first and lengths have none: the samples are what both count."""
    shapes = {"x": ("t", "n", 2), "len": ("n",), "rate": ()}
    assert batching.axes(shapes) == {"x": 1, "len": 0, "rate": None}
    assert batching.axes({"a": ("n", 4), "b": ("m", 4)}) == {"a": 0, "b": 0}
    assert batching.axes({"x": ("t", "n", 2)}) == {"x": 0}


def test_a_network_that_takes_steps_first_and_lengths_is_proven(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    text = """<ir_version: 9, opset_import: ["" : 18]> m (float[t, n, 2] x, int32[n] len) => (float[1, n, 3] h)
        { y, h = LSTM <hidden_size = 3> (x, w, r, , len) }"""
    model = parser.parse_model(text)
    for name, width in {"w": 2, "r": 3}.items():
        model.graph.initializer.append(
            numpy_helper.from_array(draw.normal(size=(1, 12, width)).astype(np.float32), name)
        )
    onnx.save(model, tmp_path / "m.onnx")
    assert probes.record(RUNTIME.open(tmp_path / "m.onnx", "onnx"), 1, None, tmp_path / "g.npz")
    found = parity.compare(RUNTIME.open(tmp_path / "m.onnx", "onnx"), tmp_path / "g.npz", Tolerance(1e-4, 1e-4), 1)
    assert found.verdict is Verdict.PASS, found.reason
