"""Time by operator: what runs in a loop counts once, with its work for each turn."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, parser

from core.proof import operators

LOOP = """<ir_version: 10, opset_import: ["" : 17]>
g (float[n,256] x, int64 turns) => (float[n,256] z) {
    go = Constant <value = bool {1}> ()
    z = Loop (turns, go, x) <
        body = l (int64 i, bool c, float[1,256] q) => (bool d, float[1,256] r) { d = Identity(c) r = MatMul(q, w) }
    >
}"""


def test_a_body_counts_once_and_for_each_turn(tmp_path: Path) -> None:
    model = parser.parse_model(LOOP)
    model.graph.initializer.append(numpy_helper.from_array(np.eye(256, dtype=np.float32), "w"))
    onnx.save(model, tmp_path / "m.onnx")
    inputs = {"x": np.ones((1, 256), np.float32), "turns": np.array(20, np.int64)}
    found = operators.watched(tmp_path / "m.onnx", inputs, tmp_path / "trace.json")
    kinds = {kind.kind: kind for kind in found.kinds}
    assert kinds["MatMul"].runs == 20
    assert kinds["MatMul"].macs == 20 * 256 * 256
    assert found.total <= found.call, "the loop and its body were added up"
    assert found.weights == 4 * 256 * 256 + 1, "the matrix and the flag"
    assert (tmp_path / "trace.json").stat().st_size > 1000
