"""Sizes that a model with dynamic dimensions takes are found, told, and asked beyond; a result that takes fewer of them is not proven."""

from contextlib import nullcontext
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
import pytest
import torch
from torch.nn import functional

from core.converters import CONVERTERS
from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused
from core.domain.report import Verdict
from core.domain.runtime import Domain, Session
from core.domain.technique import ANY
from core.onnx import windows
from core.proof import parity, probes, sizes
from core.proof.dataset import Dataset
from core.proof.golden import read
from core.proof.samples import Sampler
from core.runtimes import runtime_for
from tests.proof.planted import model
from tests.proof.test_directed import proof

BLOCKS = "(float[N,T] x) => (float[N,K,{0}] y) {{ s = Constant<value_ints = [0, -1, {0}]>() r = Reshape(x, s) y = Softmax(r) }}"
LAST = (
    "(float[N,T] x, int64[N,1] count) => (float[N,1] y) "
    "{ o = Constant<value_ints = [400]>() i = Sub(count, o) y = GatherElements<axis = 1>(x, i) }"
)
EVEN = "s = Constant<value_ints = [0, -1, 4]>() b = Reshape(x, s) f = Flatten(b) y = R"
"""In front of a mean: takes only sizes of whole fours."""
PICTURE = (
    "(float[N,3,H,W] x) => (float[N,A,B,48] y) { s = Shape(x) i = Constant<value_ints = [0, 2, 3]>() p = Gather(s, i) "
    "b = Constant<value_ints = [1, 16, 1]>() d = Div(p, b) e = Constant<value_ints = [-1]>() t = Concat<axis = 0>(d, e) "
    "y = Reshape(x, t) }"
)


@pytest.mark.parametrize("size", [32, 400, 640])
def test_a_model_of_whole_blocks_is_asked_at_sizes_of_whole_blocks(size: int, tmp_path: Path) -> None:
    made = model(BLOCKS.format(size), {})
    found = proof(made, made, tmp_path)
    assert found.verdict is Verdict.PASS, found.reason
    assert f"x 1x{size}" in found.reason
    assert next(check for check in found.checks if check.name == "sizes").samples >= 2


def test_lengths_take_the_size_that_they_belong_to(tmp_path: Path) -> None:
    found = proof(model(LAST, {}), model(LAST, {}), tmp_path)
    assert found.verdict is Verdict.PASS, found.reason
    assert "with whole lengths in count" in found.reason


def test_two_kinds_of_dynamic_dimensions_may_have_sizes_of_their_own(tmp_path: Path) -> None:
    onnx.save(model(PICTURE, {}), tmp_path / "a.onnx")
    session = runtime_for("onnx").open(tmp_path / "a.onnx", "onnx")
    given = session.run(sizes.fitted(Sampler(session, 7), None, probes.NOTHING).random(2, 0))
    assert len(given["y"]) == 2


def test_the_sizes_of_the_data_come_before_others(tmp_path: Path) -> None:
    onnx.save(model(BLOCKS.format(56), {}), tmp_path / "a.onnx")
    session = runtime_for("onnx").open(tmp_path / "a.onnx", "onnx")
    rows = Dataset({"x": np.random.default_rng(0).normal(size=(40, 112)).astype(np.float32)}, None, 40)
    probes.record(session, 7, rows, tmp_path / "g.npz")
    found = read(tmp_path / "g.npz")
    assert (
        next(found.case_inputs(n)["x"].shape for n, case in enumerate(found.cases) if case.name == "random")[1] == 112
    )


def test_a_result_that_rejects_sizes_which_the_source_takes_is_not_proven(tmp_path: Path) -> None:
    text = "(float[N,T] x) => (float[N,1] y) { y = ReduceMean<axes = [1]>(x) }"
    even = text.replace("y = R", EVEN).replace(">(x)", ">(f)")
    found = proof(model(text, {}), model(even, {}), tmp_path)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "rejects sizes that the source takes: 1, 2, 13, 33, 65, 129" in found.reason
    assert next(check for check in found.checks if check.name == "sizes").verdict is Verdict.NOT_PROVEN


def test_a_compressed_result_that_rejects_sizes_fails(tmp_path: Path) -> None:
    """Where numbers change on purpose no case has a verdict of its own, and a rejection must not get lost."""
    text = "(float[N,T] x) => (float[N,1] y) { y = ReduceMean<axes = [1]>(x) }"
    paths = tmp_path / "a.onnx", tmp_path / "b.onnx"
    onnx.save(model(text, {}), paths[0])
    onnx.save(model(text.replace("y = R", EVEN).replace(">(x)", ">(f)"), {}), paths[1])
    runtime = runtime_for("onnx")
    probes.record(runtime.open(paths[0], "onnx"), 7, None, tmp_path / "g.npz")
    found = parity.compare(runtime.open(paths[1], "onnx"), tmp_path / "g.npz", ANY, 7)
    assert found.verdict is Verdict.FAIL, found.reason
    assert "rejects this input" in found.reason


def test_negative_dimensions_and_inputs_without_elements_reach_torch(tmp_path: Path) -> None:
    text = '(float[N,1,H,W] x) => (float[N,1,A,B] y) { y = Resize<mode = "nearest">(x, roi, scales) }'
    made = model(text, {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, 2, 2], np.float32)})
    for dim in made.graph.input[0].type.tensor_type.shape.dim:
        if dim.dim_param:
            dim.dim_value = -1
    onnx.save(made, tmp_path / "a.onnx")
    converter = CONVERTERS["onnx_to_torch_export"]
    converter.convert(tmp_path / "a.onnx", tmp_path / "a.pt2", converter.Options())
    session = runtime_for("torch_export").open(tmp_path / "a.pt2", "torch_export")
    x = np.arange(24, dtype=np.float32).reshape(2, 1, 3, 4)
    assert next(iter(session.run({"x": x}).values())).shape == (2, 1, 6, 8)


POOLED = (
    "(float[N,2,H,20] x) => (float[N,2] y) { a = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(x) "
    "b = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a) c = AveragePool<kernel_shape = [3, 3], strides = [2, 2]>(b) "
    "d = Conv<kernel_shape = [2, 1]>(c, w) y = ReduceMax<axes = [2, 3], keepdims = 0>(d) }"
)
KERNEL = {"w": np.random.default_rng(2).standard_normal((2, 2, 2, 1)).astype(np.float32)}


def test_windows_that_do_not_fit_are_no_sizes_of_the_model(tmp_path: Path) -> None:
    """ONNX Runtime answers at each of them, with a place of the window that is not there."""
    made = model(POOLED, KERNEL)
    onnx.save(made, tmp_path / "a.onnx")
    session = runtime_for("onnx").open(tmp_path / "a.onnx", "onnx")
    for size in range(1, 40):
        picture = np.random.default_rng(size).standard_normal((1, 2, size, 20)).astype(np.float32)
        fits = torch_takes(picture)
        with (
            nullcontext() if fits else pytest.raises(Refused, match=r"window of .* is larger than what it slides over")
        ):
            session.run({"x": picture})
        assert fits is not bool(windows.too_large(made, {"x": picture.shape}))
    found = proof(made, made, tmp_path)
    assert found.verdict is Verdict.PASS, found.reason
    assert "x 1x2x32x20" in found.reason


def torch_takes(picture: np.ndarray) -> bool:
    """Say whether torch, which rounds the number of places down as ONNX does, runs the same layers."""
    x = torch.from_numpy(picture)
    try:
        for pool, kernel in ((functional.max_pool2d, 2), (functional.max_pool2d, 2), (functional.avg_pool2d, 3)):
            x = pool(x, kernel, 2)
        return bool(functional.conv2d(x, torch.from_numpy(KERNEL["w"])).numel())
    except RuntimeError:
        return False


def test_padding_and_dilation_make_room_and_take_it() -> None:
    padded = (
        "(float[N,1,T] x) => (float[N,1,U] y) { y = MaxPool<kernel_shape = [3], pads = [P, P], dilations = [D]>(x) }"
    )
    for pad, dilation, smallest in ((0, 1, 3), (1, 1, 1), (0, 4, 9), (2, 4, 5)):
        made = model(padded.replace("P, P", f"{pad}, {pad}").replace("[D]", f"[{dilation}]"), {})
        fits = [size for size in range(1, 12) if not windows.too_large(made, {"x": (1, 1, size)})]
        assert fits[0] == smallest


def test_a_source_of_single_samples_is_asked_as_often_as_any_other(tmp_path: Path) -> None:
    """The state of its GRU has one sample, though its shapes promise any number."""
    rng = np.random.default_rng(4)
    tables = {
        name: rng.standard_normal(shape).astype(np.float32)
        for name, shape in (("w", (1, 12, 3)), ("r", (1, 12, 4)), ("h", (1, 1, 4)))
    }
    made = model(
        "(float[N,T,3] x) => (float[N,4] y) { t = Transpose<perm = [1, 0, 2]>(x) "
        "a, l = GRU<hidden_size = 4>(t, w, r, , , h) z = Constant<value_ints = [0]>() y = Squeeze(l, z) }",
        tables,
    )
    found = proof(made, made, tmp_path)
    assert found.verdict is Verdict.PASS, found.reason
    assert "takes only batches of 1, though its shapes promise any number" in found.reason
    assert next(check for check in found.checks if check.name == "random").samples == 32


def test_a_source_that_refuses_drawn_numbers_is_not_taken_for_one_of_single_samples(tmp_path: Path) -> None:
    """It refuses whatever is negative: a single number may be none by chance, of three one is more often than not."""

    class Positive(Session):
        signature = Signature((TensorSpec("x", "float32", ("batch", 1)),), (TensorSpec("y", "float32", ("batch", 1)),))
        domains: ClassVar[dict[str, Domain]] = {}

        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            if (inputs["x"] < 0).any():
                raise ValueError("a negative number")
            return {"y": np.sqrt(inputs["x"])}

    session = Positive()
    for seed in range(40):
        assert not sizes.counted(Sampler(session, seed)).single


def test_a_window_that_begins_inside_is_one_place_where_places_are_rounded_up() -> None:
    up = "(float[N,1,T] x) => (float[N,1,U] y) { y = MaxPool<kernel_shape = [4], strides = [3], ceil_mode = 1>(x) }"
    fits = [size for size in range(1, 9) if not windows.too_large(model(up, {}), {"x": (1, 1, size)})]
    takes = [size for size in range(1, 9) if _pooled_up(size)]
    assert fits == takes == list(range(2, 9))


def _pooled_up(size: int) -> bool:
    try:
        return bool(functional.max_pool1d(torch.ones(1, 1, size), 4, 3, ceil_mode=True).numel())
    except RuntimeError:
        return False
