"""ORT files: the frame and the tables are checked, the rest is ONNX Runtime's."""

from pathlib import Path

import numpy as np
import pytest

from core.domain.errors import Refused
from core.formats import FORMATS
from tests.formats.verdict import refused

ORT = FORMATS["ort"]


def test_the_signature_comes_from_a_session(honest: dict[str, Path]) -> None:
    summary = ORT.inspect(honest["linear.ort"])
    assert [(spec.name, spec.dtype, spec.shape) for spec in summary.signature.inputs] == [
        ("x", "float32", ("batch", 4))
    ]
    assert (summary.parameters, summary.precision, summary.sparsity) == (12, "float32", round(1 / 12, 6))
    assert summary.operators == {"MatMul": 1}


def test_trees_are_counted_as_in_their_source(tmp_path: Path) -> None:
    import onnxruntime

    source = Path(__file__).parents[2] / "sample_models" / "segment" / "model.onnx"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "m.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    before, after = FORMATS["onnx"].inspect(source), ORT.inspect(tmp_path / "m.ort")
    assert (after.parameters, after.operators) == (before.parameters, before.operators)


def test_tables_that_lead_out_of_the_file_are_refused(honest: dict[str, Path], tmp_path: Path) -> None:
    """Whichever one byte is wrong, the answer is a summary or a sentence."""
    data = honest["linear.ort"].read_bytes()
    refusals = 0
    for place in range(8, len(data)):
        (tmp_path / "m.ort").write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        refusals += any(risk.level == "refuse" for risk in ORT.audit(tmp_path / "m.ort"))
    assert refusals


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xffORTM" + b"\0" * 50, b"\x08\0\0\0ORTM"])
def test_a_broken_frame_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.ort").write_bytes(data)
    assert refused(tmp_path / "m.ort")


def test_a_weight_that_claims_other_sizes_than_its_bytes_is_refused(honest: dict[str, Path], tmp_path: Path) -> None:
    data = honest["linear.ort"].read_bytes()
    shape = np.array([4, 3], "<i8").tobytes()
    assert data.count(shape) == 1
    (tmp_path / "m.ort").write_bytes(data.replace(shape, np.array([4_000_000, 3], "<i8").tobytes()))
    assert "claims 12,000,000 elements" in str(ORT.audit(tmp_path / "m.ort"))


def test_a_file_that_is_cut_off_is_refused(honest: dict[str, Path], tmp_path: Path) -> None:
    data = honest["linear.ort"].read_bytes()
    (tmp_path / "m.ort").write_bytes(data[: len(data) // 2])
    with pytest.raises(Refused, match="beyond its end"):
        ORT.inspect(tmp_path / "m.ort")
