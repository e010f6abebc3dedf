"""MACs against values worked out by hand, each counted by shapes and by a watched run."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import parser

from core.proof import macs

HEAD = '<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1, "own" : 1]>\n'
CASES = {
    # 2 images, 8 channels of 9 x 9 out, each over 3 x 3 of 4 channels (8 in, two groups)
    "conv": (
        "(float[n,8,9,9] x, float[8,4,3,3] w) => (float[n,8,9,9] y) { y = Conv <pads=[1,1,1,1], group=2> (x, w) }",
        {"x": (2, 8, 9, 9), "w": (8, 4, 3, 3)}, 2 * 8 * 81 * 4 * 9,
    ),
    # each of the 3 x 5 x 5 numbers of an image goes through 4 channels of 2 x 2
    "conv transpose": (
        "(float[n,3,5,5] x, float[3,4,2,2] w) => (float[n,4,10,10] y) { y = ConvTranspose <strides=[2,2]> (x, w) }",
        {"x": (2, 3, 5, 5), "w": (3, 4, 2, 2)}, 2 * 3 * 25 * 4 * 4,
    ),
    "gemm of a transposed": (
        "(float[7,n] a, float[7,5] b, float[5] c) => (float[n,5] y) { y = Gemm <transA=1> (a, b, c) }",
        {"a": (7, 3), "b": (7, 5), "c": (5,)}, 3 * 5 * 7,
    ),
    "matmul in heads": (
        "(float[n,4,6,8] a, float[n,4,8,6] b) => (float[n,4,6,6] y) { y = MatMul(a, b) }",
        {"a": (2, 4, 6, 8), "b": (2, 4, 8, 6)}, 2 * 4 * 6 * 6 * 8,
    ),
    # 5 steps of 2 samples: four gates of 3, from 4 that come in and 3 that stay
    "lstm": (
        "(float[5,n,4] x, float[1,12,4] w, float[1,12,3] r) => (float[5,1,n,3] y)"
        " { y = LSTM <hidden_size=3> (x, w, r) }",
        {"x": (5, 2, 4), "w": (1, 12, 4), "r": (1, 12, 3)}, 5 * 2 * (12 * 4 + 12 * 3),
    ),
    "einsum": (
        '(float[n,3,4] a, float[n,4,5] b) => (float[n,3,5] y) { y = Einsum <equation="bij,bjk->bik"> (a, b) }',
        {"a": (2, 3, 4), "b": (2, 4, 5)}, 2 * 3 * 4 * 5,
    ),
    "no products of tensors": (
        "(float[n,3] a) => (float[n,3] y) { b = Mul(a, a) y = Softmax(b) }", {"a": (2, 3)}, 0,
    ),
}  # fmt: skip


def written(text: str, folder: Path) -> Path:
    """Write a model that is given as ONNX text."""
    onnx.save(parser.parse_model(HEAD + text), folder / "m.onnx")
    return folder / "m.onnx"


@pytest.mark.parametrize("name", CASES)
def test_both_counts_are_what_was_worked_out(name: str, tmp_path: Path) -> None:
    text, shapes, expected = CASES[name]
    inputs = {key: np.ones(shape, np.float32) for key, shape in shapes.items()}
    found = macs.counted(written(f"g {text}", tmp_path), inputs, 2)
    assert found.static is not None
    assert (found.static.macs, found.ran.macs) == (expected, expected)
    assert found.agree


def test_of_a_branch_what_ran_counts_and_a_loop_as_often_as_it_turned(tmp_path: Path) -> None:
    path = written(
        """g (float[1,4] x, float[4,4] w, float[4,4] v, bool cond, int64 turns, bool go) => (float[1,4] z) {
            y = If (cond) <
                then_branch = t () => (float[1,4] a) { p = MatMul(x, w) a = MatMul(p, v) },
                else_branch = e () => (float[1,4] b) { b = MatMul(x, w) }
            >
            z = Loop (turns, go, y) <
                body = l (int64 i, bool c, float[1,4] s) => (bool d, float[1,4] n) { d = Identity(c) n = MatMul(s, w) }
            >
        }""",
        tmp_path,
    )
    inputs = {
        "x": np.ones((1, 4), np.float32), "w": np.ones((4, 4), np.float32), "v": np.ones((4, 4), np.float32),
        "cond": np.array(False), "turns": np.array(7, np.int64), "go": np.array(True),
    }  # fmt: skip
    found = macs.counted(path, inputs, 1)
    assert found.ran.macs == 16 + 7 * 16
    assert sorted(found.repeated.values()) == [0, 1, 7]
    assert found.static is not None
    assert found.static.macs == 2 * 16 + 16
    assert not found.agree
    assert "larger branch" in found.told
    assert "one turn of a Loop" in found.told


def test_functions_of_the_model_are_looked_into(tmp_path: Path) -> None:
    path = written(
        """g (float[n,4] x, float[4,4] w) => (float[n,4] y) { y = own.twice(x, w) }
        <domain: "own", opset_import: ["" : 17]> twice (a, m) => (c) { b = MatMul(a, m) c = MatMul(b, m) }""",
        tmp_path,
    )
    found = macs.counted(path, {"x": np.ones((3, 4), np.float32), "w": np.ones((4, 4), np.float32)}, 3)
    assert found.agree
    assert found.ran.macs == 2 * 3 * 16
