"""Clean-up: answers stay, what is idle or there twice goes, and a clean file is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from core.domain.errors import Refused
from core.runtimes import RUNTIMES
from tests.techniques.samples import apply, arrays, in_constants, sample

WEIGHT = np.random.default_rng(0).normal(size=(30, 30)).astype(np.float32)


def wasteful(out: Path) -> Path:
    """Write a model with a weight twice, an idle one, constants that are never folded, and Identity nodes."""
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.float32(2))),
        helper.make_node("Constant", [], ["three"], value=numpy_helper.from_array(np.float32(3))),
        helper.make_node("Mul", ["two", "three"], ["six"], name="a name that is long"),
        helper.make_node("MatMul", ["x", "first"], ["a value in the middle"]),
        helper.make_node("Identity", ["a value in the middle"], ["the same"]),
        helper.make_node("MatMul", ["the same", "second"], ["z"]),
        helper.make_node("Mul", ["z", "six"], ["y"]),
        helper.make_node("Neg", ["z"], ["unread"]),
    ]
    tensors = [numpy_helper.from_array(WEIGHT, name) for name in ("first", "second", "idle")]
    graph = helper.make_graph(nodes, "wasteful", [value("x", 1, ["n", 30])], [value("y", 1, ["n", 30])], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), out)
    return out


def test_waste_goes_and_the_answers_stay(tmp_path: Path) -> None:
    source = wasteful(tmp_path / "m.onnx")
    out = apply("clean_up", source, tmp_path / "out.onnx")
    assert out.stat().st_size < source.stat().st_size / 2.5
    assert [node.op_type for node in onnx.load(out).graph.node] == ["MatMul", "MatMul", "Mul"]
    assert sum(np.array_equal(array, WEIGHT) for array in arrays(out).values()) == 1
    x = np.random.default_rng(0).normal(size=(4, 30)).astype(np.float32)
    before, after = (RUNTIMES["onnxruntime"].open(path, "onnx").run({"x": x})["y"] for path in (source, out))
    assert np.allclose(before, after, rtol=1e-5)


def test_names_are_kept_where_they_are_wanted(tmp_path: Path) -> None:
    source = wasteful(tmp_path / "m.onnx")
    kept = onnx.load(apply("clean_up", source, tmp_path / "kept.onnx", names="kept"))
    short = onnx.load(apply("clean_up", source, tmp_path / "short.onnx"))
    assert "a value in the middle" in {name for node in kept.graph.node for name in node.output}
    assert max(len(name) for node in short.graph.node for name in (*node.input, *node.output)) == 1


@pytest.mark.parametrize("name", ["fashion_cnn", "spam_transformer"])
def test_samples_shrink_without_a_changed_answer(name: str, tmp_path: Path) -> None:
    model = sample(name)
    out = apply("clean_up", model.source, tmp_path / "out.onnx")
    assert out.stat().st_size < model.source.stat().st_size
    assert np.abs(model.scores(out) - model.scores(model.source)).max() < 1e-5


def test_compact_weights_stay_compact_and_constants_move(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    compact = apply("codebooks", in_constants(model.source, tmp_path / "c.onnx"), tmp_path / "compact.onnx")
    out = apply("clean_up", compact, tmp_path / "out.onnx")
    assert 0.9 * compact.stat().st_size < out.stat().st_size < compact.stat().st_size
    assert np.array_equal(model.scores(out), model.scores(compact))


def test_a_model_inside_branches_keeps_its_answers(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    branches (bool which, float[3] x) => (float[3] y)
    <float[3] idle_weight_with_a_name = {1, 2, 3}, float[3] read = {4, 5, 6}>
    { y = If (which) <
        then_branch = one () => (float[3] left_answer) { left_answer = Add(x, read) },
        else_branch = two () => (float[3] right_answer) { inner_value = Mul(x, read)  right_answer = Neg(inner_value) }
      > }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    out = apply("clean_up", tmp_path / "m.onnx", tmp_path / "out.onnx")
    session = RUNTIMES["onnxruntime"].open(out, "onnx")
    x = np.ones(3, np.float32)
    assert session.run({"which": np.array(True), "x": x})["y"].tolist() == [5, 6, 7]
    assert session.run({"which": np.array(False), "x": x})["y"].tolist() == [-4, -5, -6]


def test_a_clean_file_is_refused(tmp_path: Path) -> None:
    once = apply("clean_up", wasteful(tmp_path / "m.onnx"), tmp_path / "once.onnx")
    with pytest.raises(Refused) as caught:
        apply("clean_up", once, tmp_path / "twice.onnx")
    assert "nothing to clean up" in caught.value.message
