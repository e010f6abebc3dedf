"""Equal constants of several branches are stored once, and the answers stay."""

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper, parser

from core.onnx import branches as onnx_branches
from core.onnx import calibration

TEXT = """<ir_version: 8, opset_import: ["" : 17]>
m (float[N, 40] x, bool yes) => (float[N, 40] y) {
    y = If (yes) <then_branch = a () => (float[N, 40] z) { z = MatMul (x, one) },
                  else_branch = b () => (float[N, 40] z) { t = MatMul (x, two) z = Relu (t) }>
}"""


def model(*values: Any) -> Any:
    """Return a model with one matrix in each branch."""
    made = parser.parse_model(TEXT)
    branches = {a.name: a.g for a in made.graph.node[0].attribute}
    for branch, name, value in zip(("then_branch", "else_branch"), ("one", "two"), values, strict=True):
        branches[branch].initializer.append(numpy_helper.from_array(value, name))
    return made


def answers(found: Any) -> list[Any]:
    """Return what both branches answer."""
    opened = calibration.session(found.SerializeToString(), "all")
    x = np.random.default_rng(2).normal(size=(5, 40)).astype(np.float32)
    return [opened.run(None, {"x": x, "yes": np.array(yes)})[0] for yes in (True, False)]


def test_equal_constants_of_branches_are_stored_once() -> None:
    value = np.random.default_rng(1).normal(size=(40, 40)).astype(np.float32)
    source, found = model(value, value), model(value, value)
    onnx_branches.share(found)
    assert found.ByteSize() < 0.6 * source.ByteSize()
    onnx.checker.check_model(found, full_check=True)
    for one, other in zip(answers(source), answers(found), strict=True):
        np.testing.assert_array_equal(one, other)


def test_other_constants_stay_where_they_are() -> None:
    value = np.random.default_rng(1).normal(size=(40, 40)).astype(np.float32)
    found = model(value, value + 1)
    onnx_branches.share(found)
    assert found == model(value, value + 1)
