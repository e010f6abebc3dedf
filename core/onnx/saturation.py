"""Which integer kernels of ONNX Runtime are exact on this processor: measured on its own extremes, never read from a list of flags.

The trap: without instructions for products of four bytes (VNNI and its like), kernels for uint8 activations and int8
weights add pairs of products in 16 bits, and 255 * 127 * 2 does not fit there. Weights in seven bits always fit:
255 * 64 * 2 = 32640.
"""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np

from core.domain.format import Risk
from core.domain.integer_products import Integers
from core.onnx import calibration
from core.onnx.typing import IntArray, NodeProto

OPSET, IR = 13, 8
TELLING = ("avx2", "avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8", "asimddp", "i8mm")
"""Flags that explain a finding; none decides one."""
LOW = {"uint8": 0, "int8": -128}
MIDDLE = {"uint8": 128, "int8": 0}
OPERATORS = ("MatMulInteger", "QLinearMatMul", "QLinearConv", "QDQ MatMul", "QDQ Gemm", "QDQ Conv")
"""ConvInteger is not among them: with it convolutions run five to ten times slower than in float32, so that nothing here writes it."""

INSTEAD = "Convert its source again with arithmetic=floats, which is the same on every processor."
"""What helps with a file of OpenVINO, which has no switch for that."""


class Pairing(StrEnum):
    """Types of activations and weights; reduced keeps weights within seven bits."""

    U8S8 = "u8s8"
    U8S8_REDUCED = "u8s8 reduced"
    U8U8 = "u8u8"
    S8S8 = "s8s8"

    @property
    def activations(self) -> str:
        """NumPy's name for the type of the activations."""
        return "int8" if self is Pairing.S8S8 else "uint8"

    @property
    def weights(self) -> str:
        """NumPy's name for the type of the weights."""
        return "uint8" if self is Pairing.U8U8 else "int8"

    @property
    def top(self) -> int:
        """The largest magnitude of a weight around its zero point."""
        return 63 if self is Pairing.U8S8_REDUCED else 127


FASTEST = (Pairing.U8S8, Pairing.U8S8_REDUCED, Pairing.U8U8, Pairing.S8S8)
"""In the order of speed and accuracy that was measured where they are exact."""


@dataclass(frozen=True)
class Kernel:
    """One operator on one pairing: how many of the integers that it gave differ from NumPy's."""

    operator: str
    pairing: Pairing
    wrong: int
    compared: int


@dataclass(frozen=True)
class HostTruth:
    """What was found on this processor."""

    cpu: str
    flags: tuple[str, ...]
    kernels: tuple[Kernel, ...]

    def exact(self, pairing: Pairing, operators: tuple[str, ...] = ()) -> bool:
        """Say whether each kernel of the pairing (of these operators, if any are named) gave NumPy's integers."""
        asked = [k for k in self.kernels if k.pairing is pairing and (not operators or k.operator in operators)]
        return bool(asked) and all(kernel.wrong == 0 for kernel in asked)

    def pairings(self, operators: tuple[str, ...] = ()) -> tuple[Pairing, ...]:
        """Return the pairings that are exact, fastest first."""
        return tuple(pairing for pairing in FASTEST if self.exact(pairing, operators))


def warned(integers: Integers) -> Risk | None:
    """Return what the owner of a file should know about its integers, with what this processor makes of such; None where they fit everywhere."""
    if not integers.at_risk:
        return None
    foreign = any(kind.startswith("OpenVINO") for kind in integers.saturating)
    what = (
        f"{integers.at_risk} of {integers.products} integer products multiply by int8 weights of the full range: an x86 "
        f"processor without VNNI saturates there and answers otherwise, without a word. {INSTEAD if foreign else _here(integers)}"
    )
    return Risk("warning", what, ", ".join(integers.where))


def _here(integers: Integers) -> str:
    """Say what ONNX Runtime makes of such integers on this processor."""
    truth = measure()
    alike = [k for k in truth.kernels if f"{k.operator} {k.pairing.activations}" in integers.saturating]
    full = [kernel for kernel in alike if kernel.pairing in (Pairing.U8S8, Pairing.S8S8)]
    wrong, compared = sum(kernel.wrong for kernel in full), sum(kernel.compared for kernel in full)
    cpu = f"{truth.cpu}, {', '.join(truth.flags) or 'no flag of interest'}"
    return (
        f"On this processor ({cpu}) {wrong:,} of {compared:,} extreme integers came out wrong: open it with the session option session.x64quantprecision=1, which was exact without VNNI."
        if wrong
        else f"This processor ({cpu}) computes such products exactly."
    )


@cache
def measure() -> HostTruth:
    """Run every kernel on extreme values; some tens of milliseconds, once in a process."""
    return HostTruth(_cpu(), _flags(), tuple(_try(operator, pairing) for pairing in Pairing for operator in OPERATORS))


def _try(operator: str, pairing: Pairing) -> Kernel:
    """Count wrong integers over several shapes, because a kernel is chosen by shape; what does not run is wrong throughout."""
    wrong = compared = 0
    for x, w in _operands(operator, pairing):
        expected = _products(x, w)
        scale = 1.0
        if operator != "MatMulInteger":
            # A power of two divides exactly in float32, and 100 stays inside 8 bits: what differs then is the integers'
            # doing.
            scale = float(2.0 ** np.ceil(np.log2(np.abs(expected).max() / 100)))
            # Halves go to the even neighbour, as QuantizeLinear rounds (ONNX operators, QuantizeLinear).
            expected = np.rint(expected / scale) + MIDDLE[pairing.activations]
        if operator.startswith("QDQ"):
            expected = (expected - MIDDLE[pairing.activations]) * scale
        found = _run(operator, pairing, x, w, scale)
        wrong += expected.size if found is None else int(np.count_nonzero(found != expected))
        compared += expected.size
    return Kernel(operator, pairing, wrong, compared)


def _operands(operator: str, pairing: Pairing) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield activations, and weights around their zero point: all at one end, then at either end by chance."""
    rng = np.random.default_rng(0)
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((1, 67), (67, 33)), ((9, 128), (128, 16))]
    if "Conv" in operator:
        # A dense, a depthwise and a pointwise convolution.
        shapes = [((1, 16, 5, 5), (8, 16, 3, 3)), ((1, 16, 5, 5), (16, 1, 3, 3)), ((2, 7, 6, 6), (5, 7, 1, 1))]
    low = LOW[pairing.activations]
    for x_shape, w_shape in shapes:
        yield np.full(x_shape, low + 255), np.full(w_shape, pairing.top)
        yield rng.choice([low, low + 255], x_shape), rng.choice([-pairing.top - 1, pairing.top], w_shape)


def _products(x: IntArray, w: IntArray) -> np.ndarray:
    """Return the matrix product, or the convolution (depthwise where a filter has one channel of several), in int64."""
    if x.ndim == 2:
        return x.astype(np.int64) @ w
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.int64), w.shape[2:], axis=(2, 3))
    rule = "nchwij,cij->nchw" if w.shape[1] < x.shape[1] else "nchwij,ocij->nohw"
    return np.asarray(np.einsum(rule, windows, w[:, 0] if w.shape[1] < x.shape[1] else w))


def _run(operator: str, pairing: Pairing, x: np.ndarray, w: IntArray, scale: float) -> np.ndarray | None:
    """Return what ONNX Runtime computes with its optimisations on, or None where it has no such kernel."""
    x = x.astype(np.float32 if operator.startswith("QDQ") else pairing.activations)
    try:
        session = calibration.session(_model(operator, pairing, x, w, scale), "all")
        return np.asarray(session.run(None, {"x": x})[0])
    except Exception:
        return None


def _model(operator: str, pairing: Pairing, x: np.ndarray, w: IntArray, scale: float) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    kinds = {"uint8": TensorProto.UINT8, "int8": TensorProto.INT8}
    constants = {
        "w": (w + (128 if pairing.weights == "uint8" else 0)).astype(pairing.weights),
        "wz": np.array(128 if pairing.weights == "uint8" else 0, pairing.weights),
        "xz": np.array(0, pairing.activations),
        "yz": np.array(MIDDLE[pairing.activations], pairing.activations),
        "one": np.array(1, np.float32),
        "ys": np.array(scale, np.float32),
    }
    group = x.shape[1] if x.ndim == 4 and w.shape[1] < x.shape[1] else 1
    whole, floats = operator == "MatMulInteger", operator.startswith("QDQ")
    taken = TensorProto.FLOAT if floats else kinds[pairing.activations]
    given = TensorProto.INT32 if whole else taken
    graph = helper.make_graph(
        _nodes(operator, group if "Conv" in operator else None),
        "kernel",
        [helper.make_tensor_value_info("x", taken, x.shape)],
        [helper.make_tensor_value_info("y", given, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    return bytes(model.SerializeToString())


def _nodes(operator: str, group: int | None) -> list[NodeProto]:
    """Return the operator, or its pairs from floats to floats: ONNX Runtime changes the types of integers between such pairs."""
    from onnx import helper

    if operator == "MatMulInteger":
        return [helper.make_node(operator, ["x", "w", "xz", "wz"], ["y"])]
    if operator.startswith("QLinear"):
        inputs = ["x", "one", "xz", "w", "one", "wz", "ys", "yz"]
        return [helper.make_node(operator, inputs, ["y"], group=group)]
    return [
        helper.make_node("QuantizeLinear", ["x", "one", "xz"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "one", "xz"], ["a"]),
        helper.make_node("DequantizeLinear", ["w", "one", "wz"], ["b"]),
        helper.make_node(operator.removeprefix("QDQ "), ["a", "b"], ["c"], group=group),
        helper.make_node("QuantizeLinear", ["c", "ys", "yz"], ["d"]),
        helper.make_node("DequantizeLinear", ["d", "ys", "yz"], ["y"]),
    ]


def _cpu() -> str:
    """Return the processor's own name where the system tells it."""
    return _told("model name") or platform.machine()


def _flags() -> tuple[str, ...]:
    held = {*_told("flags").split(), *_told("Features").split()}
    return tuple(flag for flag in TELLING if flag in held)


def _told(field: str) -> str:
    """Return the first value of a field of /proc/cpuinfo; empty where there is none, or the jail does not show it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field), "")
