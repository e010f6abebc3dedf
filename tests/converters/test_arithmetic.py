"""Quantized models on their way to OpenVINO: the same answers on every processor, and a word where that is not so."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from core.converters import CONVERTERS
from core.domain.codec import decode
from core.domain.integer_products import Integers
from core.domain.report import Verdict
from core.domain.transform import parse_options
from core.formats import FORMATS
from core.libraries import ir_arithmetic
from core.onnx import saturation
from core.onnx.saturation import OPERATORS, Pairing
from core.runtimes import runtime_for
from core.sandbox.tools import Tools
from core.verbs import convert, evaluate, every_processor
from tests.asking import ask
from tests.converters.small import Way
from tests.formats import made_litert
from tests.test_convert import bring

QUANTIZED = [operator for operator in OPERATORS if operator != "MatMulInteger"]
WITHOUT_VNNI = dict(runtime_for("openvino").without_vnni)

ASKED = """
import json, sys
import numpy as np
from pathlib import Path
from core.runtimes import runtime_for
found = {}
for path in sorted(Path(sys.argv[1]).glob("*.zip")):
    session = runtime_for("openvino").open(path, "openvino")
    answer, = session.run({"x": np.load(path.with_suffix(".npz"))["x"]}).values()
    found[path.stem] = int(np.count_nonzero(answer.astype(float) != np.load(path.with_suffix(".npz"))["y"]))
print(json.dumps(found))
"""


def extreme(operator: str, pairing: Pairing, path: Path) -> None:
    """Write one product of the largest integers as ONNX, with inputs and exact answers beside it."""
    x, w = list(saturation._operands(operator, pairing))[-1]
    expected = saturation._products(x, w)
    scale = float(2.0 ** np.ceil(np.log2(np.abs(expected).max() / 100)))
    path.write_bytes(saturation._model(operator, pairing, x, w, scale))
    middle = saturation.MIDDLE[pairing.activations]
    whole = np.rint(expected / scale) + middle
    floats = operator.startswith("QDQ")
    x = x.astype(np.float32 if floats else pairing.activations)
    np.savez(path.with_suffix(".npz"), x=x, y=(whole - middle) * scale if floats else whole)


def converted(folder: Path, arithmetic: str) -> dict[str, Integers]:
    """Convert every product, and return what the files say of their integers."""
    told = {}
    for operator in QUANTIZED:
        for pairing in Pairing:
            name = f"{operator} {pairing}"
            extreme(operator, pairing, folder / f"{name}.onnx")
            options = parse_options(ir_arithmetic.ArithmeticOptions, {"arithmetic": arithmetic})
            CONVERTERS["onnx_to_openvino"].convert(folder / f"{name}.onnx", folder / f"{name}.zip", options)
            told[name] = decode(Integers, FORMATS["openvino"].inspect(folder / f"{name}.zip").notes["integers"])
    return told


def wrong(folder: Path, environment: dict[str, str]) -> dict[str, int]:
    """Return by file how many integers OpenVINO gets wrong in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", ASKED, str(folder)], capture_output=True, text=True, check=True, env=environment
    )
    found: dict[str, int] = json.loads(done.stdout)
    return found


@pytest.mark.integers
def test_products_in_floats_are_exact_on_every_processor(tmp_path: Path) -> None:
    told = converted(tmp_path, ir_arithmetic.FLOATS)
    assert all(one.products == 0 and one.safe_on.startswith("Every processor") for one in told.values())
    for path in tmp_path.glob("*.zip"):
        held = np.load(path.with_suffix(".npz"))
        (answer,) = runtime_for("openvino").open(path, "openvino").run({"x": held["x"]}).values()
        assert np.array_equal(answer.astype(float), held["y"]), path.stem
    assert not any(wrong(tmp_path, WITHOUT_VNNI).values())


def test_a_file_is_told_safe_only_where_its_integers_are_exact_without_vnni(tmp_path: Path) -> None:
    told = converted(tmp_path, ir_arithmetic.INTEGERS)
    found = wrong(tmp_path, WITHOUT_VNNI)
    assert {one.products for one in told.values()} == {1}
    assert {name for name, one in told.items() if one.at_risk} >= {name for name, count in found.items() if count}
    assert {name for name, one in told.items() if one.at_risk} == {
        f"{operator} {pairing}" for operator in QUANTIZED for pairing in (Pairing.U8S8, Pairing.S8S8)
    }
    assert sum(map(bool, found.values())) == 10


@pytest.mark.integers
@pytest.mark.parametrize("place", ["branch", "outputs"])
def test_the_values_of_a_quantized_graph_stay(place: str, tmp_path: Path) -> None:
    inside = "q = QuantizeLinear(x, s, z)  p = DequantizeLinear(q, s, z)"
    texts = {
        "branch": f"p = If(yes) <then_branch = a () => (float[N, 3] p) {{ {inside} }}, else_branch = b () => (float[N, 3] p) {{ p = Neg(x) }}>",
        "outputs": f"{inside}  w = Where(yes, p, x)",
    }
    outputs = {"branch": "float[N, 3] p", "outputs": "int8[N, 3] q, float[N, 3] p, float[N, 3] w"}
    model = f"""<ir_version: 8, opset_import: ["" : 17]> m (float[N, 3] x, bool yes) => ({outputs[place]})
        <float s = {{0.0123}}, int8 z = {{-7}}> {{ {texts[place]} }}"""
    onnx.save(onnx.parser.parse_model(model), tmp_path / "m.onnx")
    way = Way(tmp_path / "m.onnx", "onnx_to_openvino", {})
    way.convert(tmp_path)
    x = np.linspace(-3, 3, 3 * 999, dtype=np.float32).reshape(999, 3)
    inputs = {"x": x, "yes": np.array(True)}
    expected = runtime_for("onnx").open(tmp_path / "m.onnx", "onnx").run(inputs)
    got = runtime_for("openvino").open(tmp_path / "out.zip", "openvino").run(inputs)
    for name, array in expected.items():
        gap = np.abs(array.astype(float) - got[name])
        assert (gap > 1e-6).mean() < 0.001
        assert gap.max() <= (1 if array.dtype == np.int8 else 0.0124)
    held = {str(FORMATS["openvino"].inspect(tmp_path / "out.zip").notes["integers"]["products"])}
    assert held == {"0"}
    assert b'levels="256"' not in _xml(tmp_path / "out.zip")
    assert b'levels="257"' in _xml(tmp_path / "out.zip")


def _xml(path: Path) -> bytes:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        return archive.read("model.xml")


@pytest.mark.integers
def test_a_quantized_litert_file_passes_everywhere(tmp_path: Path) -> None:
    (tmp_path / "quantized.tflite").write_bytes(made_litert.quantized())
    assert Way(tmp_path / "quantized.tflite", "litert_to_openvino", {}).prove(tmp_path).verdict is Verdict.PASS


@pytest.mark.parametrize(("arithmetic", "verdict"), [("floats", "PASS"), ("integers", "FAIL")])
def test_the_verdict_is_that_of_processors_without_vnni(
    tools: Tools, tmp_path: Path, arithmetic: str, verdict: str
) -> None:
    (tmp_path / "quantized.tflite").write_bytes(made_litert.quantized())
    args = bring(tools, tmp_path / "quantized.tflite")
    result = ask(convert, tools, {**args, "target": "openvino", "options": {"arithmetic": arithmetic}})
    assert result["parity"]["verdict"] == verdict, result["parity"]["reason"]
    assert ("VNNI" in result["parity"]["reason"]) == (verdict == "FAIL")
    risks = [risk["what"] for risk in result["summary"]["risks"]]
    assert any("arithmetic=floats" in what for what in risks) == (arithmetic == "integers")


def lonely(tmp_path: Path) -> Path:
    """Write a product whose sums would saturate if there were a second weight beside each of its large ones."""
    w = np.zeros((67, 33), int)
    w[::4] = 100
    path = tmp_path / "lonely.onnx"
    path.write_bytes(saturation._model("QDQ MatMul", Pairing.U8S8, np.zeros((1, 67)), w, 4096.0))
    return path


@pytest.mark.parametrize(("arithmetic", "verdict"), [("floats", "PASS"), ("integers", "NOT PROVEN")])
def test_what_could_saturate_and_does_not_show_is_not_proven(
    tools: Tools, tmp_path: Path, arithmetic: str, verdict: str
) -> None:
    args = bring(tools, lonely(tmp_path))
    result = ask(convert, tools, {**args, "target": "openvino", "options": {"arithmetic": arithmetic}})
    assert result["parity"]["verdict"] == verdict, result["parity"]["reason"]
    assert ("Safe on: Processors that add products of four bytes" in result["parity"]["reason"]) == (verdict != "PASS")


def test_what_saturates_in_its_own_engine_already_is_said(tools: Tools, tmp_path: Path) -> None:
    args = bring(tools, lonely(tmp_path))
    result = ask(convert, tools, {**args, "target": "onnx", "options": {"opset": 17}})
    assert result["parity"]["verdict"] == "PASS", result["parity"]["reason"]
    assert every_processor.SAME in result["parity"]["reason"]
    assert "avx512_vnni" in result["parity"]["reason"]


def test_integers_that_only_the_second_model_has_are_not_proven(tools: Tools, tmp_path: Path) -> None:
    """A model in floats, beside the same with integers that saturate elsewhere."""
    model = bring(tools, lonely(tmp_path))
    plain = Way(tmp_path / "lonely.onnx", "onnx_to_torch_export", {}).convert(tmp_path).rename(tmp_path / "plain.pt2")
    against = bring(tools, plain)
    found = ask(evaluate, tools, {**model, "data": None, "against": {k: v for k, v in against.items() if k != "data"}})[
        "against"
    ]["parity"]
    assert found["verdict"] == "NOT PROVEN", found["reason"]
    assert "avx512_vnni" in found["reason"]
