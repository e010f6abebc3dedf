"""Engines' own times of operators, and the treemap of ONNX Runtime's."""

import json

import pytest

from core.answers.charts import treemap
from core.answers.charts.treemap import squarified
from core.calls import convert as converting
from core.calls import probe, spent
from core.calls.bench import Bench
from core.domain.operators import Activations, EngineTrace, Operator, Operators, Roof, Spent
from core.domain.work import Model
from core.runtimes import RUNTIMES
from core.sandbox.tools import Tools
from core.verbs import convert
from tests.conftest import SAMPLES

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="the jail and the mark are Linux's")


def test_the_quietest_calls_are_put_together_by_operator() -> None:
    loud = [Spent("a", "Conv", 1, 500.0), Spent("b", "Conv", 1, 500.0)]
    quiet = [[Spent("a", "Conv", 1, 30.0 + n), Spent("b", "Conv", 1, 9.0), Spent("c", "Relu", 2, 1.0)] for n in (0, 2)]
    found = EngineTrace.of("an engine", [loud] * 6 + quiet)
    assert found.calls == 2
    assert [(one.name, one.microseconds) for one in found.nodes] == [("a", 31.0), ("b", 9.0), ("c", 1.0)]
    assert [(one.kind, one.nodes, one.microseconds) for one in found.kinds] == [("Conv", 2, 40.0), ("Relu", 1, 1.0)]


def test_torch_and_openvino_tell_their_own_times(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spent, "SECONDS", 0.2)
    bench, sample = Bench(tools), SAMPLES / "fashion_cnn"
    blob = tools.blobs.put(sample / "model.pt2")
    program = Model(blob.sha256, blob.size, "torch_export")
    found, trace = spent.ask(bench, program, probe.ask(bench, program, None))
    assert found.engine == "PyTorch"
    assert "conv" in found.kinds[0].kind
    assert trace
    events = json.loads(tools.blobs.path(trace).read_text())
    events = events if isinstance(events, list) else events["traceEvents"]
    assert {"aten::addmm"} <= {event["name"] for event in events}
    blob = tools.blobs.put(sample / "model.onnx")
    ((converter, step),) = convert.plan("onnx", "openvino", {})
    model = converting.ask(bench, Model(blob.sha256, blob.size, "onnx"), converter, step.options)
    found, trace = spent.ask(bench, model, probe.ask(bench, model, None))
    assert (found.engine, found.kinds[0].kind, trace) == ("OpenVINO", "Convolution", None)
    assert found.total > 10
    assert sum(one.kind == "Convolution" for one in found.nodes) == 3


def test_who_tells_of_operators_says_so_on_the_shelf() -> None:
    assert {one.id for one in RUNTIMES if one.traces} == {"torch", "openvino"}


def test_operators_without_a_rectangle_of_their_own_are_told_by_what_they_wait_for() -> None:
    """A roof of 1 Gflops and 1 GB/s: a MAC takes 2 ns, a byte 1 ns."""
    large = [Operator(str(n), "Conv", 1, 100.0, 0, 0, 0) for n in range(treemap.MOST)]
    small = [Operator("m", "MatMul", 1, 2.0, 1000, 0, 0), *[Operator("t", "Transpose", 1, 1.0, 0, 1000, 0)] * 3]
    found = Operators((*large, *small), Roof(1.0, 1.0), 1, 7000.0, 0, Activations(0, ""))
    values = treemap.treemap(found).to_dict()["layer"][0]["data"]["values"]
    assert {row["operator"]: row["bound by"] for row in values if "more" in row["operator"]} == {
        "1 more": "products", "3 more": "memory",
    }  # fmt: skip


def test_a_treemap_fills_its_frame_with_areas_as_the_values() -> None:
    values = [60.0, 60.0, 40.0, 30.0, 20.0, 10.0, 0.5]
    boxes = squarified(values, 0, 0, 100, 50)
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in boxes]
    assert areas == pytest.approx([5000 * value / sum(values) for value in values])
    assert all(0 <= left < right <= 100.001 and 0 <= top < bottom <= 50.001 for left, top, right, bottom in boxes)
    for number, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[:number]:
            wide = min(right, other[2]) - max(left, other[0])
            high = min(bottom, other[3]) - max(top, other[1])
            assert wide < 1e-9 or high < 1e-9
    assert max((r - x) / (b - y) for x, y, r, b in boxes[:3]) < 3
