"""ORT files: the frame is checked, the inside is ONNX Runtime's."""

from pathlib import Path

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
    assert summary.parameters is None


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xffORTM" + b"\0" * 50, b"\x08\0\0\0ORTM"])
def test_a_broken_frame_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.ort").write_bytes(data)
    assert refused(tmp_path / "m.ort")


def test_a_broken_inside_is_refused_when_it_is_read(honest: dict[str, Path], tmp_path: Path) -> None:
    data = honest["linear.ort"].read_bytes()
    (tmp_path / "m.ort").write_bytes(data[: len(data) // 2])
    with pytest.raises(Refused, match="ONNX Runtime cannot open"):
        ORT.inspect(tmp_path / "m.ort")
