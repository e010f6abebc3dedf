"""What an engine narrows bounds the verdict: no whole number, comparison or class that it loses is passed without data."""

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

from benchmarks import narrowing
from core.converters import CONVERTERS
from core.domain.report import Parity, Verdict
from core.domain.transform import parse_options
from core.proof import parity, probes
from core.runtimes import runtime_for

CONVERTER = CONVERTERS["onnx_to_openvino"]
BY_OPERATOR = {asked.operator: asked for asked in narrowing.ASKED}
LOST = [
    *((operator, dtype) for operator in ("Equal", "Less", "ReduceMax") for dtype in ("int32", "int64")),
    *((operator, "int64") for operator in ("Identity", "Neg", "Add", "Sub", "Mul", "Div", "Max", "ReduceSum")),
    *((operator, "float64") for operator in ("Less", "Equal")),
]
"""Of the table in ``docs/narrowing.md``, what OpenVINO narrows to other whole numbers or other truths."""
CLOSE = {
    "a difference": "y = Sub(x, z)",
    "the largest": "b = Sub(x, z) y = ArgMax<axis=1>(b)",
    "the day of a time": "b = Floor(x) y = Add(b, z)",
}


def to_openvino(source: Path, folder: Path) -> Parity:
    """Convert and compare without data."""
    engine = runtime_for("onnx")
    probes.record(engine.open(source, "onnx"), 7, None, folder / "golden.npz", "", engine.landmarks(source, "onnx"))
    CONVERTER.convert(source, folder / "made.xml", parse_options(CONVERTER.Options, {}))
    opened = runtime_for("openvino").open(folder / "made.xml", "openvino")
    return parity.compare(opened, folder / "golden.npz", CONVERTER.tolerance, 7)


@pytest.mark.parametrize(("operator", "dtype"), LOST)
def test_what_the_table_says_is_lost_is_not_passed(operator: str, dtype: str, tmp_path: Path) -> None:
    asked = BY_OPERATOR[operator]
    assert narrowing.ask(asked, dtype, "openvino", tmp_path) != "all"
    onnx.save(asked.model(dtype), tmp_path / "source.onnx")
    assert to_openvino(tmp_path / "source.onnx", tmp_path).verdict is not Verdict.PASS


@pytest.mark.parametrize("name", CLOSE)
def test_digits_that_float32_does_not_have_bound_a_verdict(name: str, tmp_path: Path) -> None:
    kind = "int64[N,1]" if "ArgMax" in CLOSE[name] else "double[N,3]"
    text = (
        f'<ir_version: 9, opset_import: ["" : 17]>\nm (double[N,3] x, double[N,3] z) => ({kind} y) {{ {CLOSE[name]} }}'
    )
    onnx.save(onnx.parser.parse_model(text), tmp_path / "source.onnx")
    found = to_openvino(tmp_path / "source.onnx", tmp_path)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "never lie so near to each other" in found.reason


def test_an_engine_that_keeps_what_the_graph_says_is_told_so(tmp_path: Path) -> None:
    for target in ("ort", "torch_export"):
        assert narrowing.ask(BY_OPERATOR["Less"], "int64", target, tmp_path) == "all"


def test_a_row_around_a_limit_is_told_apart_by_a_type_that_holds_it() -> None:
    row = narrowing.numbers(24, "int32")
    assert row is not None
    assert len(set(row[0].tolist())) == 3
    assert len(set(row[0].astype(np.float32).tolist())) == 2
    assert narrowing.numbers(31, "int32") is None
