"""A result is as right as the source where it is no further from it than float32 itself is from float64."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from core.domain.report import Verdict
from core.domain.runtime import Runtime
from core.domain.transform import Tolerance
from core.proof import parity, probes, rounding
from core.runtimes import RUNTIMES
from tests.proof.planted import model

SAMPLES = Path(__file__).parents[2] / "sample_models"
TOLERANCE = Tolerance(absolute=1e-4, relative=3e-7)
"""Less than sums of 512 products keep in float32."""
RNG = np.random.default_rng(5)
WEIGHT = RNG.standard_normal((512, 8)).astype(np.float32) * 30
ORDER = RNG.permutation(512)


def network(weight: np.ndarray, order: np.ndarray) -> onnx.ModelProto:
    """A product of 512 terms a number, added in another order."""
    text = "(float[N,512] x) => (float[N,8] y) { g = Gather<axis = 1>(x, i) y = MatMul(g, w) }"
    return model(text, {"w": weight[order], "i": order})


def judged(tmp_path: Path, result: onnx.ModelProto) -> tuple[Verdict, Verdict, str]:
    """Return the verdict without and with the answers in float64, and the reason of the second."""
    source, golden, runtime = tmp_path / "source.onnx", tmp_path / "golden.npz", RUNTIMES["onnxruntime"]
    onnx.save(network(WEIGHT, np.arange(512)), source)
    onnx.save(result, tmp_path / "result.onnx")
    probes.record(runtime.open(source, "onnx"), 0, None, golden, "", runtime.landmarks(source, "onnx"))
    exact = tmp_path / "float64.npz"
    session = runtime.in_float64(source, "onnx")
    assert session is not None
    assert rounding.record(session, golden, exact) > 0
    found = [
        parity.compare(runtime.open(tmp_path / "result.onnx", "onnx"), golden, TOLERANCE, 0, beside)
        for beside in (None, rounding.read(exact))
    ]
    return found[0].verdict, found[1].verdict, found[1].reason


def test_another_order_of_the_same_sums_is_no_fault(tmp_path: Path) -> None:
    before, after, reason = judged(tmp_path, network(WEIGHT, ORDER))
    assert (before, after) == (Verdict.FAIL, Verdict.PASS), reason
    assert "times what float32 loses in the source itself" in reason


@pytest.mark.parametrize("factor", [1 + 1e-4, 1 + 1e-5])
def test_other_weights_are_a_fault_still(tmp_path: Path, factor: float) -> None:
    wrong = WEIGHT.copy()
    wrong[100] *= np.float32(factor)
    before, after, _ = judged(tmp_path, network(wrong, ORDER))
    assert (before, after) == (Verdict.FAIL, Verdict.FAIL)


def test_the_loss_of_the_source_excuses_a_tenfold_tolerance_at_most() -> None:
    answer, bound = np.full((5, 2), 2, np.float32), np.full((5, 2), 1e-4)
    loss = np.zeros((5, 2))
    loss[1, 0], loss[3, 1] = 1e-4, 5.0
    expected = np.full((5, 2), 1e-4)
    expected[1], expected[3] = 4e-4, 1e-3
    assert np.allclose(rounding.allowed(answer, answer + loss, bound), expected)
    assert rounding.allowed(answer, None, bound) is bound
    assert rounding.allowed(answer, (answer + loss)[:1], bound) is bound
    assert rounding.allowed(answer.astype(np.int64), answer + loss, bound) is bound


def test_a_loss_that_is_small_by_chance_counts_as_the_usual_one() -> None:
    answer, bound = np.full((5, 2), 2, np.float32), np.full((5, 2), 1e-4)
    exact = answer + np.array([[0, 1e-4]] * 4 + [[0, 0]])
    assert np.allclose(rounding.allowed(answer, exact, bound), 4e-4)


def test_a_large_number_beside_small_ones_excuses_no_more_of_them() -> None:
    """A column of millions has a tolerance of its own, and so has what its float32 loses."""
    answer = np.tile(np.float32([1e6, 1.0]), (8, 1))
    exact = answer + np.array([[50.0, 50.0]] * 8)
    tolerance = 1e-4 + 1e-4 * np.abs(answer.astype(np.float64))
    allowed = rounding.allowed(answer, exact, tolerance)
    assert np.allclose(allowed[:, 1], 10 * tolerance[:, 1])


@pytest.mark.parametrize(
    ("file", "runtime"),
    [
        ("fashion_cnn/model.onnx", RUNTIMES["onnxruntime"]),
        ("spam_transformer/model.onnx", RUNTIMES["onnxruntime"]),
        ("fashion_cnn/model.pt2", RUNTIMES["torch"]),
        ("spam_transformer/model.pt2", RUNTIMES["torch"]),
    ],
)
def test_real_models_answer_in_float64(file: str, runtime: Runtime, tmp_path: Path) -> None:
    format = {".onnx": "onnx", ".pt2": "torch_export"}[Path(file).suffix]
    golden = tmp_path / "golden.npz"
    probes.record(runtime.open(SAMPLES / file, format), 0, None, golden, "", runtime.landmarks(SAMPLES / file, format))
    session = runtime.in_float64(SAMPLES / file, format)
    assert session is not None
    assert rounding.record(session, golden, tmp_path / "float64.npz") > 0
    recorded = probes.golden.read(golden)
    exact = rounding.read(tmp_path / "float64.npz")
    for number, case in enumerate(recorded.cases):
        if case.name == "random" and case.stored:
            (answer,), wide = recorded.case_outputs(number), exact[f"c{number}/out0"]
            assert wide.dtype == np.float64
            assert 0 < np.abs(answer - wide).max() < 1e-4
