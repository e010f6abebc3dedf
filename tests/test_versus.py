"""Two models beside each other through the real sandbox: time, memory, answers, graph, and bounds."""

from pathlib import Path

import pytest

from core.calls import footprint
from core.domain.codec import decode, encode
from core.domain.errors import Refused
from core.domain.gate import Bounds
from core.domain.overhead import Pace
from core.domain.report import Verdict
from core.domain.versus import Versus, VersusRequest
from core.domain.work import Subject
from core.doors.given import share
from core.sandbox.tools import Tools
from core.verbs import convert, versus
from tests.asking import ask
from tests.formats import made_litert
from tests.proof.layered import chain
from tests.test_command_line import SAMPLES, portolan
from tests.test_convert import bring

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="the jail and the mark are Linux's")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "PROCESSES", 1)
    monkeypatch.setattr(versus, "SECONDS", 2.0)
    monkeypatch.setattr(versus, "GATE_SECONDS", 2.0)


def subject(tools: Tools, path: Path) -> Subject:
    blob = tools.blobs.put(path)
    return Subject(blob.sha256, blob.size, "onnx", path.name)


def test_one_more_layer_is_slower_differs_and_breaks_the_bound(tools: Tools, tmp_path: Path) -> None:
    six, twelve = (subject(tools, chain(n, 96, tmp_path / f"{n}.onnx")) for n in (6, 12))
    found = versus.run(tools, VersusRequest(twelve, six, batch=8, bounds=Bounds(slowdown=0.03)))
    assert found.pace is Pace.SLOWER
    assert found.parity.verdict is Verdict.FAIL
    assert found.difference
    assert found.difference.counts["added"] == 12
    assert found.gate
    assert found.gate.verdict is Verdict.FAIL
    assert "slower" in found.sentence
    spent = {one.kind: one for one in found.kinds}
    assert spent["MatMul"].nodes == (6, 12)
    assert spent["MatMul"].won < 0
    assert abs(found.kinds[0].won) == max(abs(one.won) for one in found.kinds)
    assert decode(Versus, encode(found)) == found


def test_models_of_other_inputs_are_refused_in_words(tools: Tools, tmp_path: Path) -> None:
    narrow, wide = (subject(tools, chain(1, width, tmp_path / f"{width}.onnx")) for width in (8, 16))
    with pytest.raises(Refused, match="does not take the inputs of the first"):
        versus.run(tools, VersusRequest(wide, narrow))


def test_two_numbers_of_threads_are_timed_by_the_wall_clock(tools: Tools, tmp_path: Path) -> None:
    one = subject(tools, chain(2, 96, tmp_path / "m.onnx"))
    found = versus.run(tools, VersusRequest(one, one, batch=8, threads=(1, 2)))
    assert found.clock == "wall-clock time"
    assert found.names == ("m.onnx on 1 thread", "m.onnx on 2 threads")
    assert found.difference
    assert found.difference.same


def test_the_command_holds_a_model_to_its_bounds() -> None:
    model = SAMPLES / "segment" / "model.onnx"
    code, value = portolan("profile", model, "--against", model, "--max-slowdown", "50%")
    assert code == 0, value
    assert value["gate"]["verdict"] == "PASS"
    assert value["gate"]["held"][0]["high"] <= value["gate"]["held"][0]["allowed"] == 0.5
    assert value["difference"]["same"]
    code, value = portolan("profile", model, "--max-slowdown", "3%")
    assert (code, value["error"]["kind"]) == (1, "refused")


@pytest.mark.parametrize(("text", "value"), [("3%", 0.03), ("0.05", 0.05), ("0", 0.0)])
def test_a_share_is_read_as_people_write_it(text: str, value: float) -> None:
    assert share(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["-3%", "much", "nan", "inf%"])
def test_what_is_no_share_is_wrong_use(text: str) -> None:
    with pytest.raises(ValueError):
        share(text)


def test_answers_that_are_the_same_on_this_processor_alone_are_not_called_so(tools: Tools, tmp_path: Path) -> None:
    """OpenVINO's sums of int8 products saturate where VNNI is missing, and what was recorded here does not show it."""
    (tmp_path / "quantized.tflite").write_bytes(made_litert.quantized())
    args = bring(tools, tmp_path / "quantized.tflite")
    made = ask(convert, tools, {**args, "target": "openvino", "options": {"arithmetic": "integers"}})["artifact"]
    old = Subject(args["sha256"], args["size"], "litert", "quantized.tflite")
    new = Subject(made["sha256"], made["size"], "openvino", "quantized.zip")
    found = versus.run(tools, VersusRequest(new, old))
    assert found.parity.verdict is Verdict.FAIL
    assert "without VNNI" in found.parity.reason
    assert "the answers differ" in found.sentence
