"""Ways to OpenVINO: all missing operators at once, the batch stays free, equal bytes each time, and a state is no memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from core.converters import route
from core.domain.errors import Refused
from core.domain.report import Verdict
from core.formats import FORMATS
from core.runtimes import runtime_for
from tests.converters import small
from tests.converters.small import Way
from tests.formats.verdict import refused


def save(text: str, path: Path) -> Path:
    """Write an ONNX file from its text."""
    onnx.save(onnx.parser.parse_model(text), path)
    return path


def test_all_missing_operators_are_named_with_their_places(tmp_path: Path) -> None:
    source = save(
        """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1, "mine" : 1]>
        bad (float[N, 4] x) => (float[N, 4] y)
        { [v] v = com.microsoft.Nothing(x)  [w] w = mine.Own(v)  u = mine.Own(w)  y = Add(u, w) }""",
        tmp_path / "m.onnx",
    )
    with pytest.raises(Refused) as caught:
        Way(source, "onnx_to_openvino", {}).convert(tmp_path)
    assert "com.microsoft.Nothing ('v', node 1)" in caught.value.message
    assert "mine.Own ('w', node 2; 'without a name', node 3)" in caught.value.message
    assert caught.value.next_step


def test_free_sizes_stay_free_and_bytes_stay_equal(tmp_path: Path) -> None:
    source = save(
        """<ir_version: 8, opset_import: ["" : 17]>
        free (float[N, 3, L] x) => (float[N, L, 3] y)
        <float[3] w = {1, 2, 3}>
        { t = Transpose<perm = [0, 2, 1]>(x)  y = Mul(t, w) }""",
        tmp_path / "m.onnx",
    )
    way = Way(source, "onnx_to_openvino", {})
    first = way.convert(tmp_path).read_bytes()
    assert way.convert(tmp_path).read_bytes() == first
    assert not refused(tmp_path / "out.zip")
    session = runtime_for("openvino").open(tmp_path / "out.zip", "openvino")
    assert [spec.shape for spec in session.signature.inputs] == [("batch", 3, None)]
    assert session.run({"x": np.ones((5, 3, 2), np.float32)})["y"].shape == (5, 2, 3)
    assert way.prove(tmp_path).verdict is Verdict.PASS


def test_integers_and_truth_come_out_as_they_are(tmp_path: Path) -> None:
    source = save(
        """<ir_version: 8, opset_import: ["" : 17]>
        kinds (float[N, 3] x) => (int64[N] best, bool[N, 3] positive)
        <float zero = {0}>
        { best = ArgMax<axis = 1, keepdims = 0>(x)  positive = Greater(x, zero) }""",
        tmp_path / "m.onnx",
    )
    way = Way(source, "onnx_to_openvino", {})
    assert way.prove(tmp_path).verdict is Verdict.PASS
    session = runtime_for("openvino").open(tmp_path / "out.zip", "openvino")
    assert [(spec.name, spec.dtype) for spec in session.signature.outputs] == [("best", "int64"), ("positive", "bool")]


def test_ids_are_followed_to_their_table(tmp_path: Path) -> None:
    source = save(
        """<ir_version: 8, opset_import: ["" : 17]>
        words (int32[N, 4] ids, float[N, 2] mask) => (float[N, 4, 2] y, float[N, 2] m)
        <float[5, 2] table = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}>
        { wide = Cast<to = 7>(ids)  y = Gather(table, wide)  m = Abs(mask) }""",
        tmp_path / "m.onnx",
    )
    Way(source, "onnx_to_openvino", {}).convert(tmp_path)
    session = runtime_for("openvino").open(tmp_path / "out.zip", "openvino")
    assert session.domains["ids"].bound == 5
    assert session.domains["mask"].kind == "normal"


def test_the_way_from_a_script_is_direct() -> None:
    assert [step.id for step in route("torchscript", "openvino")] == ["torchscript_to_openvino"]
    assert [step.id for step in route("torch_export", "openvino")] == ["torch_export_to_onnx", "onnx_to_openvino"]


LISTEN = """
import sys
from pathlib import Path
seen = []
acts = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "os.fork")
sys.addaudithook(lambda event, arguments: seen.append(event) if event.startswith(acts) else None)
from core.converters import torchscript_to_openvino as way
from core.runtimes import runtime_for
way.CONVERTER.convert(Path(sys.argv[1]), Path(sys.argv[2]), way.TorchScriptOptions(shapes="int64:12"))
runtime_for("openvino").open(Path(sys.argv[2]), "openvino")
print(seen)
"""


def test_conversion_opens_no_connection_and_forks_nothing(tmp_path: Path) -> None:
    """Without a jail around it: OpenVINO's telemetry would fork a child that reports."""
    small.save_script("words", tmp_path / "words.pt")
    arguments = [str(tmp_path / "words.pt"), str(tmp_path / "out.zip")]
    done = subprocess.run([sys.executable, "-c", LISTEN, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_weight_without_elements_is_no_damage(tmp_path: Path) -> None:
    """The axes of the sum and the shape are empty, which the engine writes as one byte."""
    source = save(
        """<ir_version: 8, opset_import: ["" : 17]>
        total (float[N, 4] x) => (float[N, 4] y)
        <int64[0] none = {}>
        { t = ReduceSum<keepdims = 0>(x, none)  s = Reshape(t, none)  y = Add(x, s) }""",
        tmp_path / "m.onnx",
    )
    way = Way(source, "onnx_to_openvino", {})
    assert not refused(way.convert(tmp_path))
    assert way.prove(tmp_path).verdict is Verdict.PASS


def test_weights_that_the_graph_rounds_are_told_as_integers(tmp_path: Path) -> None:
    """As training for integers leaves them: int8 behind QuantizeLinear, in ONNX and in what becomes of it."""
    rng = np.random.default_rng(0)
    weight = onnx.numpy_helper.from_array(rng.normal(size=(4, 4)).astype(np.float32), "w")
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        rounded (float[N, 4] x) => (float[N, 4] y)
        <float s = {0.02}, int8 z = {0}>
        { q = QuantizeLinear(w, s, z)  v = DequantizeLinear(q, s, z)  y = MatMul(x, v) }"""
    )
    model.graph.initializer.append(weight)
    onnx.save(model, tmp_path / "m.onnx")
    made = Way(tmp_path / "m.onnx", "onnx_to_openvino", {}).convert(tmp_path)
    for path, kind in ((tmp_path / "m.onnx", "onnx"), (made, "openvino")):
        found = FORMATS[kind].inspect(path)
        assert (found.parameters, found.precision) == (16, "int8 (stored as float32)")


def test_attention_answers_after_a_first_call_of_one_step(tmp_path: Path) -> None:
    source = save(
        """<ir_version: 8, opset_import: ["" : 17]>
        attention (float[N, T, 4] x) => (float[N, T, 4] y)
        { k = Transpose<perm = [0, 2, 1]>(x)  s = MatMul(x, k)  p = Softmax<axis = -1>(s)  y = MatMul(p, x) }""",
        tmp_path / "m.onnx",
    )
    way = Way(source, "onnx_to_openvino", {})
    way.convert(tmp_path)
    session, reference = (
        runtime_for(kind).open(path, kind) for kind, path in (("openvino", tmp_path / "out.zip"), ("onnx", source))
    )
    rng = np.random.default_rng(0)
    for steps in (1, 16, 8, 33):
        x = rng.standard_normal((2, steps, 4)).astype(np.float32)
        assert np.allclose(session.run({"x": x})["y"], reference.run({"x": x})["y"], atol=1e-5), steps
    assert way.prove(tmp_path).verdict is Verdict.PASS


def test_of_equal_numbers_the_first_is_taken(tmp_path: Path) -> None:
    source = save(
        """<ir_version: 8, opset_import: ["" : 17]>
        order (float[N, 20] x) => (float[N, 3] y, int64[N, 3] i) <int64[1] k = {3}> { y, i = TopK(x, k) }""",
        tmp_path / "m.onnx",
    )
    way = Way(source, "onnx_to_openvino", {})
    way.convert(tmp_path)
    x = np.random.default_rng(0).integers(0, 2, (50, 20)).astype(np.float32)
    session = runtime_for("openvino").open(tmp_path / "out.zip", "openvino")
    assert np.array_equal(session.run({"x": x})["i"], np.argsort(-x, axis=1, kind="stable")[:, :3])


@pytest.mark.parametrize("kind", ["float", "int64"])
def test_what_a_graph_rounds_to_halves_is_rounded(kind: str, tmp_path: Path) -> None:
    source = save(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        halves ({kind}[N] x) => (float[N] y) {{ h = Cast<to = 10>(x)  y = Cast<to = 1>(h) }}""",
        tmp_path / "m.onnx",
    )
    out = Way(source, "onnx_to_openvino", {}).convert(tmp_path)
    numbers = [*np.arange(-70_000, 70_000, 7)] if kind == "int64" else [
        *np.arange(-3000, 3000) / 1024, *np.exp2(np.arange(-26.0, 17.0)), 65519, 65520, -65520, 1 / 3, 1e-7, 0, np.inf,
    ]  # fmt: skip
    x = np.array(numbers, np.int64 if kind == "int64" else np.float32)
    answer = runtime_for("openvino").open(out, "openvino").run({"x": x})["y"]
    with np.errstate(over="ignore"):
        assert np.array_equal(answer, x.astype(np.float16).astype(np.float32))
