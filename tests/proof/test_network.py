"""Two graphs are called one network only where every answer is computed alike; how values are called and nodes are ordered is no difference."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper, parser

from core.domain.correspondence import Operators
from core.formats import FORMATS
from core.onnx import files
from core.proof.network import operators
from tests.proof.planted import PAIRS, pair

HEAD = '<ir_version: 8, opset_import: ["" : 17]> '
SAMPLE = Path("sample_models/spam_transformer/model.onnx")


def graph(text: str) -> onnx.ModelProto:
    """Read a model of opset 17."""
    return parser.parse_model(HEAD + text)


def turned(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same network with other names, tensors in another order, and constants as nodes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    stored = list(graph.initializer)
    del graph.initializer[:]
    constants = [helper.make_node("Constant", [], [one.name], value=one) for one in reversed(stored)]
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(constants + nodes)
    kept = {one.name for one in (*graph.input, *graph.output)}
    if not any(attribute.HasField("g") for node in nodes for attribute in node.attribute):
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [name if not name or name in kept else f"renamed {name}" for name in names]
    return copy


@pytest.mark.parametrize("name", PAIRS)
def test_a_planted_fault_is_another_network_and_another_spelling_is_not(name: str) -> None:
    right, wrong = pair(name)
    found = operators(right, turned(right))
    assert found.same
    assert found.found == found.operators
    assert not operators(right, wrong).same


@pytest.mark.parametrize("level", ["ORT_DISABLE_ALL", "ORT_ENABLE_BASIC"])
def test_an_ort_file_is_read_as_its_runtime_reads_it(level: str, tmp_path: Path) -> None:
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    settings.optimized_model_filepath = str(tmp_path / "model.ort")
    settings.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(str(SAMPLE), settings, providers=["CPUExecutionProvider"])
    with FORMATS["ort"].as_onnx(tmp_path / "model.ort") as written:
        found = operators(files.load(SAMPLE), files.load(written))
    assert (found.same, found.found, found.rest, found.more) == (True, found.operators, {}, {})


def test_defaults_and_empty_last_inputs_are_no_difference() -> None:
    short = graph("a (float[N,4] x) => (float[N,4] y) { y = Softmax (x) }")
    full = graph('a (float[N,4] x) => (float[N,4] y) { h = Softmax <axis = -1> (x) y = Clip (h, "", "") }')
    bare = graph("a (float[N,4] x) => (float[N,4] y) { h = Softmax (x) y = Clip (h) }")
    assert operators(bare, full).same
    assert operators(short, full) == Operators(1, 1, {}, {"Clip": 1})
    assert operators(short, full).sentence == (
        "1 of 1 operators of the source are in the result with the same attributes beside others: 1 Clip; only the samples speak for that."
    )


def test_operands_that_are_swapped_are_another_network() -> None:
    one, other = (
        graph(f"a (float[4] x, float[4] z) => (float[4] y) {{ y = Sub ({order}) }}") for order in ("x, z", "z, x")
    )
    found = operators(one, other)
    assert (found.same, found.found) == (False, 1)
    assert "connected in another way" in found.sentence


def test_inner_graphs_and_what_they_read_from_outside_count() -> None:
    text = (
        "a (bool c, float[4] x) => (float[4] y) {{ h = {outer} (x) y = If (c) <then_branch = t () => (float[4] u) {{ u = {inner} (h) }}, "
        "else_branch = e () => (float[4] v) {{ v = Neg (h) }}> }}"
    )
    one = graph(text.format(outer="Abs", inner="Exp"))
    assert operators(one, graph(text.format(outer="Abs", inner="Exp"))).same
    for outer, inner in (("Sin", "Exp"), ("Abs", "Log")):
        assert not operators(one, graph(text.format(outer=outer, inner=inner))).same


def test_an_operator_that_draws_is_never_the_same() -> None:
    model = graph("a (float[4] x) => (float[4] y) { r = RandomNormalLike (x) y = Add (x, r) }")
    found = operators(model, model)
    assert (found.same, found.found, found.operators) == (False, 2, 2)


def test_a_version_that_defines_an_operator_otherwise_is_told() -> None:
    old = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 12]> a (float[N,2,3] x) => (float[N,2,3] y) { y = Softmax (x) }'
    )
    new = graph("a (float[N,2,3] x) => (float[N,2,3] y) { y = Softmax (x) }")
    assert not operators(old, new).same
    assert "those that were rewritten, and for which only the samples speak: 1 Softmax." in operators(old, new).sentence


def test_a_size_that_was_fixed_and_one_number_are_differences() -> None:
    free, fixed = (graph(f"a (float[{n},4] x) => (float[{n},4] y) {{ y = Relu (x) }}") for n in ("N", "8"))
    assert not operators(free, fixed).same
    one = graph("a (float[4] x) => (float[4] y) <float[4] w = {1.0, 2.0, 3.0, 4.0}> { y = Mul (x, w) }")
    near = onnx.ModelProto()
    near.CopyFrom(one)
    numbers = numpy_helper.to_array(one.graph.initializer[0]).copy()
    numbers[2] = np.nextafter(numbers[2], np.float32(9))
    near.graph.initializer[0].CopyFrom(numpy_helper.from_array(numbers, "w"))
    assert not operators(one, near).same
    assert operators(one, near).rest == {"Mul": 1}


def test_a_version_that_only_admits_more_types_defines_the_same() -> None:
    old, new = (
        parser.parse_model(
            f'<ir_version: 10, opset_import: ["" : {opset}]> a (float[N,2,3] x) => (float[3,2,N] y) {{ y = Transpose (x) }}'
        )
        for opset in (18, 21)
    )
    assert operators(old, new).same


def test_a_weight_that_a_caller_may_replace_is_no_constant() -> None:
    kept = graph("a (float[4] x, float[4] w) => (float[4] y) <float[4] w = {1.0, 2.0, 3.0, 4.0}> { y = Mul (x, w) }")
    fixed = graph("a (float[4] x) => (float[4] y) <float[4] w = {1.0, 2.0, 3.0, 4.0}> { y = Mul (x, w) }")
    assert operators(kept, kept).same
    assert not operators(kept, fixed).same
