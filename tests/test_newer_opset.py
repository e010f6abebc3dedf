"""Files older than a technique needs are carried to a newer operator set where they answer as before, and refused where not."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from core.domain.errors import Refused
from core.onnx import calibration, files, newer_opset
from core.techniques import TECHNIQUES
from tests.techniques.samples import apply
from tests.techniques.strangers import LINEAR, SHAPES, filled, rows

SAMPLES = {"x": rows(40)}


def answers(model: Any) -> Any:
    """Return what a model answers to the samples."""
    return calibration.joined(calibration.session(model.SerializeToString(), "all"), SAMPLES)


@pytest.mark.parametrize("opset", [7, 11, 12])
def test_an_old_model_answers_alike_in_a_newer_operator_set(opset: int) -> None:
    model = filled(LINEAR % opset, SHAPES)
    newer = newer_opset.raised(model, 13, SAMPLES)
    assert files.opset(newer) == 13
    np.testing.assert_allclose(answers(newer), answers(model), rtol=0, atol=1e-5)


def test_a_model_that_is_new_enough_stays() -> None:
    model = filled(LINEAR % 17, SHAPES)
    assert newer_opset.raised(model, 13, SAMPLES) is model


def test_a_model_that_answers_otherwise_then_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = filled(LINEAR % 13, SHAPES)
    other.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.ones((64, 40), np.float32), "w1"))
    monkeypatch.setattr(onnx.version_converter, "convert_version", lambda model, opset: other)
    with pytest.raises(Refused, match="different answers") as refusal:
        newer_opset.raised(filled(LINEAR % 11, SHAPES), 13, SAMPLES)
    assert refusal.value.next_step.endswith(".")


def test_an_operator_that_nothing_carries_is_refused() -> None:
    graph = helper.make_graph(
        [helper.make_node("Upsample", ["x", "s"], ["y"], mode="linear")],
        "m",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor("s", TensorProto.FLOAT, [4], [1, 1, 2, 2])],
    )
    scan = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9), helper.make_opsetid("own", 1)])
    scan.graph.node.append(helper.make_node("Nowhere", ["x"], ["z"], domain="own"))
    with pytest.raises(Refused, match="opset 13; the file has 9"):
        newer_opset.raised(scan, 13, {"x": rows(1, 4, 4)})


def test_static_int8_takes_an_old_file(tmp_path: Path) -> None:
    source, out = tmp_path / "source.onnx", tmp_path / "out.onnx"
    onnx.save(filled(LINEAR % 11, SHAPES), source)
    apply(TECHNIQUES["static_int8"].id, source, out, SAMPLES)
    assert files.opset(onnx.load(out)) == 13
    assert source.stat().st_size > 2 * out.stat().st_size
    one, other = (calibration.joined(calibration.session(path, "all"), SAMPLES) for path in (source, out))
    assert calibration.signal_to_noise(one, other) > 25
