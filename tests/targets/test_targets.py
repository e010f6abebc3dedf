"""Targets: each file is a row, and what they say of a graph is what the engines do."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from core import targets
from core.domain.assessment import Fits, Known
from core.formats import FORMATS
from core.targets import TARGETS

FASHION = Path(__file__).parents[2] / "sample_models" / "fashion_cnn" / "model.onnx"


def written(path: Path, *nodes: onnx.NodeProto, domain: str = "") -> Path:
    """Write a graph of nodes from x to y."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("x", "y")]
    opsets = [helper.make_opsetid("", 20), *([helper.make_opsetid(domain, 1)] if domain else [])]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


def test_every_file_is_a_row() -> None:
    files = {path.stem for path in Path(targets.__file__).parent.glob("[a-z]*.py")}
    assert {one.id for one in TARGETS} == files
    assert all(one.format in FORMATS and one.sentence for one in TARGETS)


@pytest.mark.parametrize("id", [one.id for one in TARGETS if one.tries])
def test_a_network_of_common_operators_is_taken(id: str) -> None:
    found = TARGETS[id].fit(FASHION)
    assert found.fits in (Fits.YES, Fits.PARTLY)
    assert found.known is not Known.UNKNOWN
    assert {cell.operator for cell in found.cells} == {"Conv", "Relu", "MaxPool", "Gemm", "Reshape"}


@pytest.mark.parametrize("id", ["onnxruntime", "triton", "openvino"])
def test_an_operator_that_nobody_has_is_named_and_the_others_are_not(id: str, tmp_path: Path) -> None:
    nodes = helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Wobble", ["h"], ["y"], domain="acme")
    found = TARGETS[id].fit(written(tmp_path / "m.onnx", *nodes, domain="acme"))
    assert found.fits is Fits.NO
    cells = {cell.operator: cell.fits for cell in found.cells}
    assert cells["acme.Wobble"] is Fits.NO
    assert cells["Relu"] is (Fits.UNKNOWN if id == "openvino" else Fits.YES)


def test_an_accelerator_that_leaves_most_out_is_not_called_a_yes(tmp_path: Path) -> None:
    nodes = helper.make_node("Erf", ["x"], ["h"]), helper.make_node("Sinh", ["h"], ["y"])
    found = TARGETS["nnapi"].fit(written(tmp_path / "m.onnx", *nodes))
    assert found.fits is Fits.NO
    assert {cell.fits for cell in found.cells} == {Fits.NO}
