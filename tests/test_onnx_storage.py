"""Compact weights: the same bits in two engines, smaller than the floats, and in every place where a weight can lie."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from core.domain.errors import Refused
from core.libraries import ir
from core.onnx import files
from core.onnx import weights as onnx_weights
from core.onnx.bit_packing import packing
from core.onnx.storage import Storage
from core.runtimes import RUNTIMES

SHAPES = {"matrix": (37, 41), "vector": (1517,), "filters": (13, 7, 3, 3)}


def few(shape: tuple[int, ...], levels: int) -> Any:
    """Values of which only ``levels`` are different, none of them exact in float16."""
    rng = np.random.default_rng(levels)
    return rng.normal(size=levels).astype(np.float32)[rng.integers(0, levels, shape)]


def thin(shape: tuple[int, ...], share: float) -> Any:
    """Values of which a share is zero, with a long run of zeros at the front."""
    rng = np.random.default_rng(3)
    array = np.where(rng.random(shape) < share, np.float32(0), rng.normal(size=shape).astype(np.float32))
    array.reshape(-1)[:300] = 0
    return array


def holding(array: Any, opset: int = 17) -> Any:
    """A model that answers its one weight, plus an input of zero."""
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "weight"], ["y"])],
        "one",
        [value("x", kind, [1])],
        [value("y", kind, array.shape)],
        [numpy_helper.from_array(array, "weight")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def stored(model: Any, out: Path, array: Any) -> str:
    """Put an array into the first weight, write the file, and return the kind of encoding."""
    storage = Storage(model)
    kind = storage.put(onnx_weights.weights(model)[0], array)
    files.write(model, out)
    files.loads(out)
    return kind


def answers(path: Path) -> list[Any]:
    """Run the file in both engines on -0.0, which leaves the bits of every weight as they are."""
    session = RUNTIMES["onnxruntime"].open(path, "onnx")
    feed = {"x": np.full(1, -0.0, session.signature.inputs[0].dtype)}
    request = ir.compiled(ir.engine().Core().read_model(path)).create_infer_request()
    return [session.run(feed)["y"], request.infer(feed)[0]]


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5, 6, 8, 12, 16, 20, 32, 64, 100, 256])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_few_values_come_back_bit_for_bit(levels: int, shape: tuple[int, ...], tmp_path: Path) -> None:
    array = few(shape, levels)
    assert stored(holding(array), tmp_path / "m.onnx", array) == "codebook"
    assert (tmp_path / "m.onnx").stat().st_size < array.nbytes
    assert [answer.tobytes() for answer in answers(tmp_path / "m.onnx")] == [array.tobytes()] * 2


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_many_zeros_come_back_bit_for_bit(share: float, shape: tuple[int, ...], tmp_path: Path) -> None:
    array = thin(shape, share)
    assert stored(holding(array), tmp_path / "m.onnx", array) == "sparse"
    assert (tmp_path / "m.onnx").stat().st_size < array.nbytes
    assert [answer.tobytes() for answer in answers(tmp_path / "m.onnx")] == [array.tobytes()] * 2


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_zeros_and_a_codebook_share_one_encoding(share: float, tmp_path: Path) -> None:
    thinned, kept = thin((64, 81), share), few((64, 81), 15)
    array = np.where(thinned == 0, np.float32(0), kept)
    kind = stored(holding(array), tmp_path / "m.onnx", array)
    assert kind == ("codebook" if share == 0.2 else "sparse")
    assert (tmp_path / "m.onnx").stat().st_size < array.nbytes / 7
    assert [answer.tobytes() for answer in answers(tmp_path / "m.onnx")] == [array.tobytes()] * 2


def test_signs_of_zero_and_what_is_no_number_keep_their_bits(tmp_path: Path) -> None:
    array = few((40, 40), 9)
    array[0, :4] = [-0.0, np.inf, -np.inf, np.nan]
    stored(holding(array), tmp_path / "m.onnx", array)
    session = RUNTIMES["onnxruntime"].open(tmp_path / "m.onnx", "onnx")
    assert session.run({"x": np.full(1, -0.0, np.float32)})["y"].tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_keep_their_type(dtype: Any, tmp_path: Path) -> None:
    for array in (few((50, 40), 7).astype(dtype), thin((50, 40), 0.9).astype(dtype)):
        assert stored(holding(array), tmp_path / "m.onnx", array) in ("codebook", "sparse")
        session = RUNTIMES["onnxruntime"].open(tmp_path / "m.onnx", "onnx")
        assert session.run({"x": np.zeros(1, dtype)})["y"].tobytes() == array.tobytes()


def test_what_does_not_get_smaller_stays_as_it_is(tmp_path: Path) -> None:
    for array in (np.random.default_rng(0).normal(size=(30, 30)).astype(np.float32), few((8, 8), 60)):
        model = holding(array)
        assert stored(model, tmp_path / "m.onnx", array) == "dense"
        assert [node.op_type for node in model.graph.node] == ["Add"]


def test_halves_are_kept_as_halves(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float16).astype(np.float32)
    assert stored(holding(array), tmp_path / "m.onnx", array) == "half"
    assert [answer.tobytes() for answer in answers(tmp_path / "m.onnx")] == [array.tobytes()] * 2


def test_the_promised_bytes_are_the_bytes_in_the_file() -> None:
    for array in (few((60, 60), 16), thin((60, 60), 0.9), np.ones((60, 60), np.float32) / 3):
        model = holding(array)
        before, weight, storage = model.ByteSize(), onnx_weights.weights(model)[0], Storage(model)
        dense, promised = weight.tensor.ByteSize(), storage.size(weight, array)
        storage.put(weight, array)
        assert abs(model.ByteSize() - (before - dense + promised)) <= 6


def test_weights_in_branches_and_constant_nodes_are_stored(tmp_path: Path) -> None:
    values = {name: few((40, 40), levels) for name, levels in (("a", 5), ("b", 6))}
    branches = [
        helper.make_graph(
            [helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array)),
             helper.make_node("Add", [name, "x"], ["out_" + name])],
            name, [], [helper.make_tensor_value_info("out_" + name, 1, [40, 40])],
        )
        for name, array in values.items()
    ]  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("If", ["which"], ["y"], then_branch=branches[0], else_branch=branches[1])],
        "two",
        [helper.make_tensor_value_info("which", 9, []), helper.make_tensor_value_info("x", 1, [1])],
        [helper.make_tensor_value_info("y", 1, [40, 40])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    before, storage = model.ByteSize(), Storage(model)
    assert [storage.put(weight, weight.array) for weight in onnx_weights.weights(model)] == ["codebook"] * 2
    files.write(model, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").stat().st_size < before / 3
    session = RUNTIMES["onnxruntime"].open(tmp_path / "m.onnx", "onnx")
    for which, array in zip((True, False), values.values(), strict=True):
        answer = session.run({"which": np.array(which), "x": np.full(1, -0.0, np.float32)})["y"]
        assert answer.tobytes() == array.tobytes()


def test_an_old_file_lists_no_weight_among_its_inputs_any_more(tmp_path: Path) -> None:
    array, model = few((40, 40), 5), holding(few((40, 40), 5), 11)
    model.ir_version = 3
    model.graph.input.append(helper.make_tensor_value_info("weight", 1, [40, 40]))
    assert stored(model, tmp_path / "m.onnx", array) == "codebook"
    assert [answer.tobytes() for answer in answers(tmp_path / "m.onnx")] == [array.tobytes()] * 2


def test_an_old_operator_set_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        Storage(holding(few((9, 9), 2), 9))
    assert "opset 9" in caught.value.message
    assert caught.value.next_step


def test_digits_take_few_bits() -> None:
    bits = {base: 8 * np.dtype(packing(base)[0]).itemsize / packing(base)[1] for base in range(1, 257)}
    assert [bits[base] for base in (2, 3, 4, 8, 16, 256)] == [1, 1.6, 2, 3.2, 4, 8]
    assert all(np.log2(base) <= bits[base] <= np.log2(base) * 4 / 3 for base in range(2, 257))


def test_a_compact_file_is_opened_and_stored_again(tmp_path: Path) -> None:
    for array in (few((40, 40), 5), thin((40, 40), 0.9), few((40, 40), 4).astype(np.float16).astype(np.float32)):
        model = holding(array)
        stored(model, tmp_path / "m.onnx", array)
        again = files.load(tmp_path / "m.onnx")
        storage = Storage(again)
        weights = onnx_weights.weights(again)
        assert [(one.name, one.array.tobytes()) for one in weights] == [("weight", array.tobytes())]
        assert ([node.op_type for node in again.graph.node], len(again.graph.initializer)) == (["Add"], 1)
        storage.settle()
        files.write(again, tmp_path / "again.onnx")
        assert (tmp_path / "again.onnx").stat().st_size == (tmp_path / "m.onnx").stat().st_size
