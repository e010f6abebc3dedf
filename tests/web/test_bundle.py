"""What a conversion hands out for JavaScript: a module for Node beside every ONNX file, and the web package as a target."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from core import web
from core.answers.bundle import javascript
from core.domain.artifact import TensorSpec
from core.sandbox.tools import Tools
from core.verbs import convert
from core.web import recorded
from tests.asking import ask
from tests.test_convert import SAMPLES, bring

ENTRY = f"""
import {{ readFileSync }} from "node:fs";
import {{ env }} from "./{web.MODULE}";
env.wasm.wasmBinary = readFileSync(new URL("{web.WASM}", import.meta.url)).buffer;
export * from "./{web.MODULE}";
"""
"""What the npm package's own entry for Node does: find the WebAssembly file beside it."""


def installed(folder: Path, runtime: Path) -> None:
    """Put the runtime where ``npm install`` would, from the files that we ship."""
    package = folder / "node_modules" / "onnxruntime-web"
    package.mkdir(parents=True)
    about = {"name": "onnxruntime-web", "version": web.VERSION, "type": "module", "exports": "./entry.mjs"}
    (package / "package.json").write_text(json.dumps(about))
    (package / "entry.mjs").write_text(ENTRY)
    for name in web.RUNTIME:
        shutil.copy(runtime / name, package / name)


def unpacked(tools: Tools, result: dict[str, Any], folder: Path) -> Path:
    """Unpack a result's bundle."""
    with zipfile.ZipFile(tools.blobs.path(result["bundle"]["sha256"])) as archive:
        archive.extractall(folder)
    return folder


def test_an_onnx_bundle_runs_in_node(tools: Tools, tmp_path: Path, node: str, runtime: Path) -> None:
    result = ask(convert, tools, {**bring(tools, SAMPLES / "penguins" / "model.skops"), "target": "onnx"})
    folder = unpacked(tools, result, tmp_path / "bundle")
    assert json.loads((folder / "package.json").read_text())["dependencies"] == {"onnxruntime-web": web.VERSION}
    installed(folder, runtime)
    done = subprocess.run([node, "use.mjs"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-800:]
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    row = {
        value.name: np.array([[""]], object) if "string" in value.type else np.zeros((1, 1), np.float32)
        for value in session.get_inputs()
    }
    label, chances = session.run(None, row)
    assert f"label [ 1 ] [ '{label[0]}' ]" in done.stdout
    shown = re.search(r"Float32Array\(2\) \[ (.*), (.*) \]", done.stdout)
    assert shown is not None
    np.testing.assert_allclose([float(part) for part in shown.groups()], chances[0], atol=1e-6)


@pytest.mark.parametrize("dtype", [*javascript.ARRAYS, "str"])
def test_every_kind_of_input_is_written_in_javascript(dtype: str, tmp_path: Path, node: str, runtime: Path) -> None:
    kind = {"float32": "float", "float64": "double", "str": "string"}.get(dtype, dtype)
    text = f'<ir_version: 8, opset_import: ["" : 17]> g ({kind}[N, 2] x) => ({kind}[N, 2] y) {{ y = Identity(x) }}'
    model = onnx.parser.parse_model(text)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    spec = TensorSpec("x", dtype, ("N", 2))
    for name, content in javascript.members("onnx", "model.onnx", [spec]).items():
        (tmp_path / name).write_text(content)
    installed(tmp_path, runtime)
    done = subprocess.run([node, "use.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-800:]
    assert done.stdout.startswith("y [ 1, 2 ]")


def test_other_formats_carry_no_javascript() -> None:
    spec = TensorSpec("x", "float32", (1,))
    assert javascript.members("skops", "model.skops", [spec]) == {}
    assert javascript.members("onnx", "model.onnx", [replace(spec, dtype="sequence(float32)")]) == {}
    assert set(javascript.members("ort", "model.ort", [spec])) == {"use.mjs", "package.json"}


def test_a_web_package_carries_the_answers_of_the_first_source(tools: Tools, tmp_path: Path) -> None:
    args = bring(tools, SAMPLES / "penguins" / "model.skops", SAMPLES / "penguins" / "test.csv", "sex")
    result = ask(convert, tools, {**args, "target": "web_package"})
    assert [step["format"] for step in result["steps"]] == ["onnx", "web_package"]
    assert result["parity"]["verdict"] == "PASS", result["parity"]
    folder = unpacked(tools, result, tmp_path / "bundle")
    with zipfile.ZipFile(folder / "model.zip") as package:
        script = package.read("recorded.js")
        assert package.read("model.onnx") == tools.blobs.path(result["steps"][0]["sha256"]).read_bytes()
    sent = tools.blobs.path(result["golden"]["recorded"]).read_bytes()
    assert script == b'self.PORTOLAN_RECORDED = "' + b64encode(sent) + b'";\n'
    head, _ = recorded.split(sent)
    assert {case["name"] for case in head["cases"]} >= {"random", "batch 1", "batch 3", "edge", "data"}
    for script_name in ("verify.py", "use.py"):
        quiet = {**os.environ, "BROWSER": "true"}
        done = subprocess.run([sys.executable, script_name], cwd=folder, capture_output=True, text=True, env=quiet)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "web" / "index.html").exists()
