"""Integer products are told from the structure of files that others quantized, and what saturates on some processors is warned of."""

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from core.calls.inspect import integer_risks
from core.domain.codec import decode
from core.domain.integer_products import Integers, Product
from core.formats.onnx import FORMAT
from core.onnx import saturation
from core.onnx.saturation import Pairing
from tests.techniques.samples import apply, sample

pytestmark = pytest.mark.integers
FASHION = "fashion_cnn"


class Few(CalibrationDataReader):  # type: ignore[misc]
    """A few samples for ONNX Runtime's own quantizer."""

    def __init__(self) -> None:
        self._rows = iter([{"x": sample(FASHION).calibration["x"][:8]}])

    def get_next(self) -> Any:
        """Return the next samples, or None."""
        return next(self._rows, None)


def bare(name: str, out: Path) -> str:
    """Write a sample without its list of shapes, which ONNX Runtime's dynamic quantizer trips over."""
    model = onnx.load(sample(name).source)
    del model.graph.value_info[:]
    onnx.save(model, out)
    return str(out)


def told(path: Path) -> Integers:
    """Return what the summary of a file says of its integers."""
    return decode(Integers, FORMAT.inspect(path).notes["integers"])


@pytest.mark.parametrize(
    ("types", "form", "reduced", "saturating"),
    [
        ((QuantType.QInt8, QuantType.QInt8), QuantFormat.QDQ, False, {"QDQ Conv int8": 3, "QDQ Gemm int8": 2}),
        ((QuantType.QUInt8, QuantType.QInt8), QuantFormat.QDQ, False, {"QDQ Conv uint8": 3, "QDQ Gemm uint8": 2}),
        ((QuantType.QUInt8, QuantType.QInt8), QuantFormat.QDQ, True, {}),
        ((QuantType.QUInt8, QuantType.QUInt8), QuantFormat.QDQ, False, {}),
        ((QuantType.QUInt8, QuantType.QInt8), QuantFormat.QOperator, False, {"QLinearConv uint8": 3, "QLinearMatMul uint8": 2}),
        ((QuantType.QInt8, QuantType.QInt8), QuantFormat.QOperator, False, {}),
    ],
)  # fmt: skip
def test_files_of_the_usual_quantizer(
    types: tuple[Any, Any], form: Any, reduced: bool, saturating: dict[str, int], tmp_path: Path
) -> None:
    source, out = str(sample(FASHION).source), tmp_path / "out.onnx"
    pair = {"activation_type": types[0], "weight_type": types[1], "reduce_range": reduced}
    quantize_static(source, str(out), Few(), quant_format=form, **pair)
    found = told(out)
    assert (found.products, found.untold) == (5, 0)
    assert found.saturating == saturating
    assert ("VNNI: avx512_vnni" in found.safe_on) == bool(saturating)
    assert len(integer_risks(FORMAT.inspect(out))) == bool(saturating)


def test_dynamic_files_and_files_of_floats(tmp_path: Path) -> None:
    source, out = bare("spam_transformer", tmp_path / "bare.onnx"), tmp_path / "out.onnx"
    quantize_dynamic(source, str(out), weight_type=QuantType.QInt8)
    assert set(told(out).saturating) == {"MatMulInteger uint8"}
    quantize_dynamic(source, str(out), weight_type=QuantType.QUInt8)
    assert told(out).products > 0
    assert told(out).at_risk == 0
    assert told(Path(source)).safe_on.startswith("Every processor")


@pytest.mark.parametrize("options", [{}, {"weight_bits": 5}])
def test_our_own_files_are_safe_where_that_was_asked(options: dict[str, Any], tmp_path: Path) -> None:
    model = sample(FASHION)
    asked = {"exact_on": "every processor", **options}
    out = apply("static_int8", model.source, tmp_path / "out.onnx", model.calibration, **asked)
    found = told(out)
    assert (found.products, found.untold, found.at_risk) == (5, 0, 0)
    assert found.safe_on.startswith("Every x86 processor")


def test_a_warning_says_what_this_processor_does(tmp_path: Path) -> None:
    source = bare(FASHION, tmp_path / "bare.onnx")
    quantize_dynamic(source, str(tmp_path / "out.onnx"), weight_type=QuantType.QInt8)
    (risk,) = integer_risks(FORMAT.inspect(tmp_path / "out.onnx"))
    assert risk.level == "warning"
    exact = saturation.measure().exact(Pairing.U8S8)
    assert ("computes such products exactly" in risk.what) == exact
    assert ("came out wrong" in risk.what) != exact


def test_weights_of_seven_bits_and_unknown_ones_are_told_apart() -> None:
    assert not Product("QDQ Conv", "uint8", "int8", 64, "a").saturates
    assert Product("QDQ Conv", "uint8", "int8", 65, "a").saturates
    assert Product("MatMulInteger", "uint8", "int8", None, "a").saturates
    assert not Product("MatMulInteger", "int8", "int8", 127, "a").saturates
    assert Product("QDQ Gemm", "int8", "int8", 127, "a").saturates
    assert "Not known" in Integers.of([Product("MatMulInteger", "uint8", "", None, "a")]).safe_on


def test_weights_inside_a_branch_count(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (uint8[N, 2] x, bool yes) => (int32[N, 2] y) {
        y = If(yes) <then_branch = a () => (int32[N, 2] z) <int8[2, 2] w = {100, 2, 3, 4}> { z = MatMulInteger(x, w) },
                     else_branch = b () => (int32[N, 2] z) <int8[2, 2] w = {1, 2, 3, 4}> { z = MatMulInteger(x, w) }>
    }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    assert told(tmp_path / "m.onnx") == Integers(2, 0, {"MatMulInteger uint8": 1}, ("z",))
