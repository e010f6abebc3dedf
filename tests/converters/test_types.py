"""Every type of number that a proof writes is known to every way from ONNX; what a runtime cannot do is refused in words."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from core.domain.errors import Refused
from core.domain.report import Verdict
from tests.converters.small import Way

NUMBERS = ("UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "UINT32", "UINT64", "FLOAT16", "DOUBLE", "BOOL")
OTHERS = ("BFLOAT16", "FLOAT8E4M3FN", "INT4", "UINT4")
WAYS = ("onnx_to_openvino", "onnx_to_torch_export", "onnx_to_torchscript", "onnx_to_ort")
NARROWED = {("INT64", "onnx_to_openvino")}
"""OpenVINO's CPU engine holds whole numbers of 64 bits in 32."""


def squares(kind: str, path: Path) -> Path:
    """Numbers of a type, squared in float32, and handed on as they are."""
    number = getattr(TensorProto, kind)
    nodes = [
        helper.make_node("Cast", ["x"], ["a"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["a", "a"], ["y"]),
        helper.make_node("Identity", ["x"], ["z"]),
    ]
    ends = [("x", number), ("y", TensorProto.FLOAT), ("z", number)]
    values = [helper.make_tensor_value_info(name, kind, ["n", 3]) for name, kind in ends]
    graph = helper.make_graph(nodes, "squares", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_every_type_go_every_way(kind: str, way: str, tmp_path: Path) -> None:
    proof = Way(squares(kind, tmp_path / "m.onnx"), way, {}).prove(tmp_path)
    if (kind, way) in NARROWED:
        assert proof.verdict is Verdict.NOT_PROVEN
        assert "only within bounds: on 'beyond 32 bits'" in proof.reason
    else:
        assert proof.verdict is Verdict.PASS, proof.reason


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", OTHERS)
def test_a_type_that_cannot_be_asked_is_refused_in_words(kind: str, way: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        Way(squares(kind, tmp_path / "m.onnx"), way, {}).prove(tmp_path)
    assert caught.value.message
    assert "element type 2" not in caught.value.message
