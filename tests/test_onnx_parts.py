"""A part of a model holds what the named values need and nothing else, and answers bit for bit as the whole."""

from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper, parser

from core.onnx import calibration, linear_layers, parts

TEXT = """<ir_version: 8, opset_import: ["" : 17]>
m (float[N, 8] x, bool yes) => (float[N, 8] y, float[N, 8] late) {
    first = MatMul (x, a)
    other = MatMul (x, b)
    bent = Relu (first)
    chosen = If (yes) <then_branch = t () => (float[N, 8] p) { p = MatMul (bent, c) },
                       else_branch = e () => (float[N, 8] q) { q = Identity (other) }>
    held = Clip (chosen, , d)
    y = MatMul (held, e)
    far = Gather <axis = 1> (y, places)
    late = Add (far, y)
}"""


def whole() -> Any:
    """Return a model with a branch, a left-out input and, at its end, a place that is not there."""
    model, rng = parser.parse_model(TEXT), np.random.default_rng(3)
    arrays = {name: rng.normal(size=(8, 8)).astype(np.float32) for name in "abce"}
    arrays |= {"d": np.array(2, np.float32), "places": np.full(8, 99)}
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    return model


@pytest.mark.parametrize(
    ("names", "nodes", "tensors"),
    [
        (["bent"], ["MatMul", "Relu"], "a"),
        (["other", "first"], ["MatMul", "MatMul"], "ab"),
        (["chosen"], ["MatMul", "MatMul", "Relu", "If"], "abc"),
        (["held", "x"], ["MatMul", "MatMul", "Relu", "If", "Clip"], "abcd"),
        (["y"], ["MatMul", "MatMul", "Relu", "If", "Clip", "MatMul"], "abcde"),
    ],
)
def test_a_part_holds_what_its_answers_need(names: list[str], nodes: list[str], tensors: str) -> None:
    model = whole()
    part = parts.leading_to(model, names)
    assert [node.op_type for node in part.graph.node] == nodes
    assert "".join(sorted(tensor.name for tensor in part.graph.initializer)) == tensors
    assert {value.name for value in part.graph.output} == set(names) - {"x"}
    assert model == whole()


def test_values_of_a_model_are_found_without_running_what_follows_them() -> None:
    samples = {"x": np.random.default_rng(4).normal(size=(40, 8)).astype(np.float32), "yes": np.ones(40, bool)}
    opened = calibration.session(whole().SerializeToString(), "all")
    with pytest.raises(Exception, match="out of"):
        opened.run(None, {"x": samples["x"], "yes": np.array(True)})
    sound = whole()
    next(one for one in sound.graph.initializer if one.name == "places").CopyFrom(
        numpy_helper.from_array(np.arange(8), "places")
    )
    expected = calibration.session(sound.SerializeToString(), "all").run(
        ["y"], {"x": samples["x"], "yes": np.array(True)}
    )
    got = [values[0] for values in linear_layers.recorded(whole(), ["y"], samples)]
    assert len(got) == 2
    assert np.array_equal(np.concatenate(got), expected[0])
