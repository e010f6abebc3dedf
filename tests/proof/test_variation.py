"""Whether a comparison says anything: answers must vary, and by more than the differences that a tolerance forgives."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.domain.artifact import Signature, TensorSpec
from core.domain.report import Parity, Verdict
from core.domain.runtime import Domain, Session
from core.domain.transform import Tolerance
from core.proof import parity, probes

Call = Callable[[np.ndarray], np.ndarray]
DRAW = np.random.default_rng(5)
WEIGHTS = DRAW.standard_normal((4, 3)).astype(np.float32)


class Formula(Session):
    """A session that is one NumPy function of x [n, 4] float32."""

    def __init__(self, call: Call) -> None:
        self.signature = Signature((TensorSpec("x", "float32", ("batch", 4)),))
        self.domains = {"x": Domain()}
        self._call = call

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what the function makes of x."""
        return {"y": self._call(inputs["x"]).astype(np.float32)}


def compared(source: Call, target: Call, folder: Path) -> Parity:
    """Record one function and compare the other with it."""
    probes.record(Formula(source), 3, None, folder / "g.npz")
    return parity.compare(Formula(target), folder / "g.npz", Tolerance(1e-4, 1e-4), 3)


KIND: dict[str, tuple[Call, Call]] = {
    "zeros beside answers of tiny scale": (lambda x: x @ (WEIGHTS * 1e-7), lambda x: np.zeros((len(x), 3))),
    "another sum around a large constant": (lambda x: 1e6 + x @ (WEIGHTS / 4), lambda x: 1e6 - x @ (WEIGHTS / 4)),
    "zeros beside answers that turn quickly": (
        lambda x: 1e-5 * np.sin(1e6 * x[:, :3].astype(np.float64)),
        lambda x: np.zeros((len(x), 3)),
    ),
    "zeros beside answers that are rounding alone": (
        lambda x: 1e-5 * np.sin(1e9 * x[:, :3].astype(np.float64)),
        lambda x: np.zeros((len(x), 3)),
    ),
    "zeros in one column of tiny scale": (
        lambda x: x @ (WEIGHTS * np.float32([1, 1, 2e-6])),
        lambda x: x @ (WEIGHTS * np.float32([1, 1, 0])),
    ),
}


@pytest.mark.parametrize("name", KIND)
def test_differences_as_large_as_the_answers_vary_are_not_proven(name: str, tmp_path: Path) -> None:
    source, target = KIND[name]
    found = compared(source, target, tmp_path)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "hardly vary more" in found.reason
    assert compared(source, source, tmp_path).verdict is Verdict.PASS


def test_what_one_rounding_of_the_inputs_makes_anew_is_noise(tmp_path: Path) -> None:
    """As the imaginary part of the mean in a Fourier transform, which one engine adds up to 1e-5 and another to 0."""

    def noisy(x: np.ndarray) -> np.ndarray:
        return np.stack([x.sum(axis=1), 64 * ((x[:, 0] + np.float32(1)) - np.float32(1) - x[:, 0])], axis=1)

    def quiet(x: np.ndarray) -> np.ndarray:
        return np.stack([x.sum(axis=1), 0 * x[:, 0]], axis=1)

    found = compared(noisy, quiet, tmp_path)
    assert found.verdict is Verdict.PASS, found.reason


def test_answers_that_never_vary_prove_nothing(tmp_path: Path) -> None:
    found = compared(lambda x: np.zeros((len(x), 3)), lambda x: np.zeros((len(x), 3)), tmp_path)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "Every answer is the same number" in found.reason


def test_rounding_of_float32_stays_a_pass(tmp_path: Path) -> None:
    assert compared(lambda x: x @ WEIGHTS, lambda x: x.astype(np.float64) @ WEIGHTS, tmp_path).verdict is Verdict.PASS
