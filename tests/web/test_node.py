"""The vendored runtime in Node: sample models answer what their sources answered, and a wrong one is caught."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from core import web
from core.converters import CONVERTERS
from core.domain.transform import parse_options
from core.proof import probes
from core.proof.datasets import read_dataset
from core.runtimes import runtime_for
from tests.converters.small import spoil

Replay = Callable[[Path, Path], dict[str, Any]]

SAMPLES = {
    "fashion_cnn": ("model.pt2", "torch_export", "test.npz", None, 1072),
    "spam_transformer": ("model.pt2", "torch_export", "test.npz", None, 1011),
    "penguins": ("model.skops", "skops", "test.csv", "sex", 182),
}
"""Each sample's source, its data, and how many samples are compared."""


def opened(folder: Path, sample: str, out: Path) -> tuple[Path, Path]:
    """Return the sample as ONNX (penguins ships without it, and is converted), and what its source answered."""
    name, format, data, label, _ = SAMPLES[sample]
    session = runtime_for(format).open(folder / name, format)
    probes.record(session, 7, read_dataset(folder / data, label, session.signature), out / "golden.npz")
    model = folder / "model.onnx"
    if not model.exists():
        converter, model = CONVERTERS[f"{format}_to_onnx"], out / "model.onnx"
        converter.convert(folder / name, model, parse_options(converter.Options, {}))
    return model, out / "golden.bin"


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_answers_in_node_as_its_source_did(
    sample: str, sample_models: Path, tmp_path: Path, replay: Replay
) -> None:
    found = replay(*opened(sample_models / sample, sample, tmp_path))
    assert found["verdict"] == "PASS", found
    assert found["samples"] == SAMPLES[sample][4]
    assert found["cases"] == found["recorded"] >= 9
    assert found["flips"] == {"k": 0, "n": found["samples"]}
    ordinary = [check["max_abs"] for check in found["checks"] if check["name"] != "edge"]
    assert max(ordinary) < 1e-5
    latency = found["latency"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"]
    assert latency["batch"] == 1
    assert latency["runs"] >= 10
    assert found["runtime"] == web.VERSION


def test_an_ort_file_runs_too(sample_models: Path, tmp_path: Path, replay: Replay) -> None:
    source = sample_models / "fashion_cnn" / "model.onnx"
    converter = CONVERTERS["onnx_to_ort"]
    converter.convert(source, tmp_path / "m.ort", parse_options(converter.Options, {}))
    probes.record(runtime_for("onnx").open(source, "onnx"), 7, None, tmp_path / "golden.npz")
    found = replay(tmp_path / "m.ort", tmp_path / "golden.bin")
    assert found["verdict"] == "PASS", found


def test_one_spoilt_weight_fails(sample_models: Path, tmp_path: Path, replay: Replay) -> None:
    source = sample_models / "fashion_cnn" / "model.onnx"
    probes.record(runtime_for("onnx").open(source, "onnx"), 7, None, tmp_path / "golden.npz")
    (tmp_path / "m.onnx").write_bytes(source.read_bytes())
    spoil(tmp_path / "m.onnx", "weight")
    found = replay(tmp_path / "m.onnx", tmp_path / "golden.bin")
    assert found["verdict"] == "FAIL"
    assert "beyond the tolerance" in found["reason"]


def written(path: Path, text: str) -> Path:
    """Write a model given as ONNX text."""
    onnx.save(onnx.parser.parse_model(text), path)
    return path


OPS = '<ir_version: {ir}, opset_import: ["" : {opset}{more}]> g ({i} x) => ({o} y) {{ {body} }}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            OPS.format(ir=8, opset=17, more=', "my.own" : 1', i="float[N,4]", o="float[N,4]", body="y = my.own.Twist(x)"),
            "no kernel for my.own:Twist",
        ),
        (OPS.format(ir=8, opset=17, more="", i="double[N,4]", o="double[N,4]", body="y = Selu(x)"), "no kernel for Selu"),
        (OPS.format(ir=13, opset=28, more="", i="float[N,4]", o="float[N,4]", body="y = Relu(x)"), "opset"),
        (
            OPS.format(
                ir=8, opset=17, more=', "ai.onnx.ml" : 3', i="float[N,2]", o="seq(map(int64, float))",
                body="y = ai.onnx.ml.ZipMap<classlabels_int64s = [0, 1]>(x)",
            ),
            "tensors only; these are not tensors: y",
        ),
    ],
)  # fmt: skip
def test_what_the_browser_cannot_run_is_said_in_words(
    text: str, words: str, tmp_path: Path, replay: Replay, sample_models: Path
) -> None:
    source = sample_models / "fashion_cnn" / "model.onnx"
    probes.record(runtime_for("onnx").open(source, "onnx"), 7, None, tmp_path / "golden.npz")
    found = replay(written(tmp_path / "m.onnx", text), tmp_path / "golden.bin")
    assert words in found["message"]
    assert found["next_step"]


@pytest.mark.parametrize("kind", ["float16", "double", "int32", "bool"])
def test_every_kind_of_number_is_fed_and_compared(kind: str, tmp_path: Path, replay: Replay) -> None:
    body = "y = Identity(x)"
    text = OPS.format(ir=8, opset=17, more="", i=f"{kind}[N,4]", o=f"{kind}[N,4]", body=body)
    path = written(tmp_path / "m.onnx", text)
    probes.record(runtime_for("onnx").open(path, "onnx"), 7, None, tmp_path / "golden.npz")
    found = replay(path, tmp_path / "golden.bin")
    assert found["verdict"] == "PASS", found
    assert found["max_abs"] == 0


HALVES = """
import { fromHalf, toHalf } from "%s";
import { readFileSync } from "node:fs";
const bytes = (path) => new Uint8Array(readFileSync(path)).buffer;
const wide = Array.from({ length: 65536 }, (_, half) => fromHalf(half));
const narrow = Array.from(new Float32Array(bytes(process.argv[1])), toHalf);
console.log(JSON.stringify({ wide: wide.map(String), narrow }));
"""


def test_half_precision_is_that_of_numpy(node: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(size=5000), 10.0 ** rng.uniform(-9, 6, 5000), [0, -0.0, 65504, 65519.9, 65520]])
    values = values.astype(np.float32)
    (tmp_path / "v.bin").write_bytes(values.tobytes())
    words = [node, "--input-type=module", "-e", HALVES % (web.HERE / "half.mjs").as_uri(), str(tmp_path / "v.bin")]
    found = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    np.testing.assert_array_equal(np.array([v.replace("Infinity", "inf") for v in found["wide"]], np.float64), halves)
    with np.errstate(over="ignore"):
        assert found["narrow"] == values.astype(np.float16).view(np.uint16).tolist()
