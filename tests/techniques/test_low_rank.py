"""Low rank: a true low rank is found without loss, gains only count where there are any, and shapes fit."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from core.domain.errors import Refused
from core.runtimes import RUNTIMES
from core.techniques.low_rank import rank
from tests.techniques.samples import apply, arrays, in_constants, sample

NODES = {
    "MatMul": (helper.make_node("MatMul", ["x", "w"], ["y"]), (24, 40), (3, 24)),
    "Gemm": (helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1), (40, 24), (3, 24)),
    "Conv": (helper.make_node("Conv", ["x", "w", "b"], ["y"], strides=[2, 1], pads=[1, 1, 1, 1]), (40, 6, 3, 3), (2, 6, 8, 8)),
}  # fmt: skip


def thin(shape: tuple[int, ...], kept: int) -> Any:
    """Weights whose matrix has a low rank."""
    rng = np.random.default_rng(1)
    return (rng.normal(size=(shape[0], kept)) @ rng.normal(size=(kept, int(np.prod(shape[1:]))))).reshape(shape)


@pytest.mark.parametrize("kind", NODES)
def test_a_low_rank_is_found_and_the_answers_stay(kind: str, tmp_path: Path) -> None:
    node, shape, given = NODES[kind]
    tensors = {"w": thin(shape, 4), "b": np.arange(40)}
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "one",
        [value("x", 1, given)],
        [value("y", 1, [None] * len(given))],
        [numpy_helper.from_array(a.astype(np.float32), n) for n, a in tensors.items() if n in node.input],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    out = apply("low_rank", tmp_path / "m.onnx", tmp_path / "out.onnx", energy=0.9999)
    assert arrays(out)["w_in"].size + arrays(out)["w"].size == 4 * (40 + int(np.prod(shape)) // 40)
    x = np.random.default_rng(0).normal(size=given).astype(np.float32)
    before, after = (RUNTIMES["onnxruntime"].open(p, "onnx").run({"x": x})["y"] for p in (tmp_path / "m.onnx", out))
    assert np.allclose(before, after, atol=1e-3)


def test_the_rank_keeps_the_energy() -> None:
    matrix = np.diag([3.0, 2.0, 1.0, 0.5])
    assert [rank(matrix, share) for share in (0.1, 0.9, 0.95, 0.9999)] == [1, 2, 3, 4]


@pytest.mark.parametrize("moved", [False, True], ids=["initializers", "constants"])
def test_the_sample_gets_smaller(moved: bool, tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    source = in_constants(model.source, tmp_path / "moved.onnx") if moved else model.source
    out = apply("low_rank", source, tmp_path / "out.onnx", energy=0.9)
    assert source.stat().st_size > 1.4 * out.stat().st_size
    assert model.right(out) >= model.right(model.source) - 10
    again = apply("codebooks", out, tmp_path / "again.onnx", bits=6)
    assert out.stat().st_size > 4 * again.stat().st_size


def test_a_full_rank_is_refused_with_the_figures(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        apply("low_rank", sample("spam_transformer").source, tmp_path / "out.onnx", energy=0.99)
    assert "needs rank" in caught.value.message
    assert "(192 x 64)" in caught.value.message
    assert caught.value.next_step
