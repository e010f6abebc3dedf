"""The first operator where two files part: by name, across formats, and through graphs that hide what happens in them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.converters import CONVERTERS
from core.domain.transform import parse_options
from core.proof import divergence, probes
from core.runtimes import runtime_for
from tests.converters import small


def recorded(path: Path, format: str, folder: Path) -> Path:
    """Record the answers of a file."""
    probes.record(runtime_for(format).open(path, format), 7, None, folder / "golden.npz")
    return folder / "golden.npz"


def converted(source: Path, converter: str, out: Path) -> Path:
    """Convert a file with the default options."""
    one = CONVERTERS[converter]
    one.convert(source, out, parse_options(one.Options, {}))
    return out


def spoilt(honest: Path, weight: str, out: Path) -> Path:
    """Copy an ONNX file with one number of a weight changed."""
    out.write_bytes(honest.read_bytes())
    small.spoil(out, weight)
    return out


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer as an exported program and as ONNX, and its recorded answers."""
    folder = tmp_path_factory.mktemp("words")
    converted(small.save_program("words", folder / "words.pt2"), "torch_export_to_onnx", folder / "words.onnx")
    recorded(folder / "words.pt2", "torch_export", folder)
    return folder


def second_layer(path: Path) -> str:
    """Return the name of the weight that the feed-forward part multiplies with first."""
    graph = onnx.load(path).graph
    gelu = next(node for node in graph.node if node.op_type == "Gelu")
    add = next(node for node in graph.node if node.output[0] == gelu.input[0])
    product = next(node for node in graph.node if node.output[0] in add.input)
    return str(product.input[1])


def test_torch_and_onnx_part_where_the_fault_is(words: Path, tmp_path: Path) -> None:
    source, honest, golden = words / "words.pt2", words / "words.onnx", words / "golden.npz"
    assert divergence.first(source, honest, golden, "torch_export", "onnx") is None
    bad = spoilt(honest, second_layer(honest), tmp_path / "bad.onnx")
    named = divergence.first(source, bad, golden, "torch_export", "onnx")
    assert named is not None
    assert named.startswith("Add 'node_linear_2'")
    assert "in the source aten.linear.default 'linear_2'" in named


def test_onnx_and_openvino_part_where_the_fault_is(words: Path, tmp_path: Path) -> None:
    honest, golden = words / "words.onnx", words / "golden.npz"
    good = converted(honest, "onnx_to_openvino", tmp_path / "good.zip")
    assert divergence.first(honest, good, golden, "onnx", "openvino") is None
    bad = spoilt(honest, second_layer(honest), tmp_path / "bad.onnx")
    ir = converted(bad, "onnx_to_openvino", tmp_path / "bad.zip")
    named = divergence.first(honest, ir, golden, "onnx", "openvino")
    assert named is not None
    assert named.startswith("MatMul")
    assert divergence.first(bad, ir, golden, "onnx", "openvino") is None


def odd_graph(weight: float) -> onnx.ModelProto:
    """A graph with a weight in a Constant node, an If with its own values, a function, and value_info that lies."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])
    branch = [
        helper.make_graph(
            [helper.make_node(kind, ["scaled"], [f"{kind}_out"], name=kind)],
            kind,
            [],
            [helper.make_tensor_value_info(f"{kind}_out", TensorProto.FLOAT, None)],
        )
        for kind in ("Relu", "Tanh")
    ]
    constant = numpy_helper.from_array(np.array([1.0, weight, 3.0], np.float32))
    nodes = [
        helper.make_node("Constant", [], ["w"], name="held", value=constant),
        helper.make_node("Mul", ["x", "w"], ["scaled"], name="scale"),
        helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("If", ["yes"], ["chosen"], name="choice", then_branch=branch[0], else_branch=branch[1]),
        helper.make_node("Twice", ["chosen"], ["y"], name="call", domain="local"),
    ]
    twice = helper.make_function(
        "local", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    graph = helper.make_graph(nodes, "odd", [x], [y])
    graph.value_info.extend([helper.make_tensor_value_info("scaled", TensorProto.FLOAT, [7, 7])])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=[twice], ir_version=8)


@pytest.mark.parametrize("weight", [2.0, 2.5])
def test_subgraphs_functions_and_stale_shapes_hide_nothing(tmp_path: Path, weight: float) -> None:
    source, target = tmp_path / "a.onnx", tmp_path / "b.onnx"
    onnx.save(odd_graph(2.0), source)
    onnx.save(odd_graph(weight), target)
    named = divergence.first(source, target, recorded(source, "onnx", tmp_path))
    if weight == 2.0:
        assert named is None
    else:
        assert named is not None
        assert named.startswith("Constant 'held' (node 1 of 5, output 'w')")


def looping(step: float) -> onnx.ModelProto:
    """A Loop that adds a number three times to what is handed on."""
    add = numpy_helper.from_array(np.array(step, np.float32), "step")
    values: dict[str, Any] = {
        "i": (TensorProto.INT64, []),
        "c": (TensorProto.BOOL, []),
        "a": (TensorProto.FLOAT, None),
        "c_out": (TensorProto.BOOL, []),
        "a_out": (TensorProto.FLOAT, None),
    }
    info = {name: helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in values.items()}
    nodes = [helper.make_node("Identity", ["c"], ["c_out"]), helper.make_node("Add", ["a", "step"], ["a_out"])]
    body = helper.make_graph(
        nodes, "body", [info[n] for n in ("i", "c", "a")], [info[n] for n in ("c_out", "a_out")], [add]
    )
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])
    turns = [numpy_helper.from_array(np.array(3), "turns"), numpy_helper.from_array(np.array(True), "go")]
    outer = [
        helper.make_node("Abs", ["x"], ["positive"], name="abs"),
        helper.make_node("Loop", ["turns", "go", "positive"], ["summed"], name="loop", body=body),
        helper.make_node("Neg", ["summed"], ["y"], name="neg"),
    ]
    graph = helper.make_graph(outer, "looping", [x], [y], turns)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_fault_inside_a_loop_is_named_by_the_loop(tmp_path: Path) -> None:
    for name, step in (("a", 1.0), ("b", 1.5)):
        onnx.save(looping(step), tmp_path / f"{name}.onnx")
    golden = recorded(tmp_path / "a.onnx", "onnx", tmp_path)
    named = divergence.first(tmp_path / "a.onnx", tmp_path / "b.onnx", golden)
    assert named is not None
    assert named.startswith("Loop 'loop'")
