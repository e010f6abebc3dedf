"""What integer kernels compute is compared with NumPy: the table is whole, and the choices follow from it alone."""

import time

import numpy as np
import pytest

from core.onnx import saturation
from core.onnx.saturation import HostTruth, Kernel, Pairing


def test_every_kernel_is_measured_in_under_a_second() -> None:
    saturation.measure.cache_clear()
    start = time.process_time()
    truth = saturation.measure()
    assert time.process_time() - start < 1
    assert {(k.operator, k.pairing) for k in truth.kernels} == {(o, p) for o in saturation.OPERATORS for p in Pairing}
    assert all(kernel.compared > 300 and 0 <= kernel.wrong <= kernel.compared for kernel in truth.kernels)
    assert truth.cpu


@pytest.mark.integers
def test_sums_that_fit_sixteen_bits_are_exact_everywhere() -> None:
    truth = saturation.measure()
    assert truth.exact(Pairing.U8U8)
    assert truth.exact(Pairing.U8S8_REDUCED)


@pytest.mark.integers
def test_a_kernel_that_does_not_run_is_wrong_throughout() -> None:
    kernel = saturation._try("QDQ Nothing", Pairing.U8S8)
    assert kernel.wrong == kernel.compared > 300


@pytest.mark.integers
def test_a_kernel_that_computes_something_else_is_wrong() -> None:
    """QDQ Sub of one matrix from another has the shape of a product of two square ones, and other numbers."""
    x = np.full((8, 8), 255)
    found = saturation._run("QDQ Sub", Pairing.U8S8, x, np.full((8, 8), 127), 2.0**12)
    assert found.shape == (8, 8)
    assert np.count_nonzero(found != np.rint(saturation._products(x, np.full((8, 8), 127)) / 2.0**12) * 2.0**12) == 64


def test_the_choice_is_by_measurement() -> None:
    truth = _without_vnni()
    assert truth.pairings() == (Pairing.U8S8_REDUCED, Pairing.U8U8)
    assert truth.pairings(("QLinearConv",)) == (Pairing.U8S8_REDUCED, Pairing.U8U8)
    assert not truth.exact(Pairing.U8S8, ("QLinearConv",))
    assert truth.exact(Pairing.U8S8, ("MatMulInteger",))
    assert not truth.exact(Pairing.S8S8)


def _without_vnni() -> HostTruth:
    """Return what was measured on an emulated Haswell for convolutions, beside a product that is exact."""
    kernels = (
        Kernel("QLinearConv", Pairing.U8S8, 595, 1152),
        Kernel("MatMulInteger", Pairing.U8S8, 0, 354),
        Kernel("QLinearConv", Pairing.U8S8_REDUCED, 0, 1152),
        Kernel("QLinearConv", Pairing.U8U8, 0, 1152),
    )
    return HostTruth("Haswell", ("avx2",), kernels)
