"""OpenVINO IR: what its XML says is held against lists and against the weights file before the engine sees it."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.formats import FORMATS
from core.libraries import ir
from tests.formats.verdict import refused

IR = FORMATS["openvino"]
Change = Callable[[str, bytes], tuple[str, bytes]]


def changed(honest: dict[str, Path], tmp_path: Path, change: Change, *more: str) -> Path:
    """Write the honest IR again with another XML, other weights, or more members."""
    with zipfile.ZipFile(honest["linear-openvino.zip"]) as archive:
        xml, weights = change(archive.read("model.xml").decode(), archive.read("model.bin"))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in (("model.xml", xml.encode()), ("model.bin", weights), *((n, b"x") for n in more)):
            archive.writestr(name, data)
    path = tmp_path / "changed.zip"
    path.write_bytes(out.getvalue())
    return path


def test_a_model_tells_about_itself(honest: dict[str, Path]) -> None:
    summary = IR.inspect(honest["linear-openvino.zip"])
    assert [(s.name, s.dtype, s.shape) for s in summary.signature.inputs] == [("x", "float32", ("batch", 4))]
    assert [(s.name, s.dtype, s.shape) for s in summary.signature.outputs] == [("y", "float32", ("batch", 3))]
    assert (summary.parameters, summary.operators, summary.precision) == (12, {"MatMul": 1}, "float32")
    assert summary.sparsity == pytest.approx(1 / 12, abs=1e-4)
    assert summary.producer is not None
    assert summary.producer.startswith("OpenVINO 2026")


BROKEN: dict[str, tuple[Change, str]] = {
    "library": (lambda x, w: (x.replace('type="MatMul" version="opset1"', 'type="Evil" version="extension"'), w), "Evil (extension)"),
    "later set": (lambda x, w: (x.replace('type="MatMul" version="opset1"', 'type="MatMul" version="opset99"'), w), "opset99"),
    "short weights": (lambda x, w: (x, w[:-1]), "inside the .bin"),
    "far weights": (lambda x, w: (x.replace('offset="0"', 'offset="999999"'), w), "inside the .bin"),
    "negative place": (lambda x, w: (x.replace('offset="0"', 'offset="-1"'), w), "unknown way"),
    "false size": (lambda x, w: (x.replace('size="48"', 'size="4"'), w), "different number of bytes"),
    "entity": (lambda x, w: (x.replace("<net ", '<!DOCTYPE a [<!ENTITY b "c">]><net ', 1), w), "declaration"),
    "file entity": (lambda x, w: (x.replace("<net ", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><net ', 1), w), "declaration"),
    "stylesheet": (lambda x, w: (x.replace("<net ", "<?a b?><net ", 1), w), "declaration"),
    "no edge": (lambda x, w: (x.replace('from-layer="0"', 'from-layer="77"'), w), "leads nowhere"),
    "ring": (lambda x, w: (x.replace('<edge from-layer="0" from-port="0"', '<edge from-layer="2" from-port="2"'), w), "cycle"),
    "old": (lambda x, w: (x.replace('version="11"', 'version="7"', 1), w), "version 10 or 11"),
    "empty": (lambda x, w: ('<net name="a" version="11"><layers/><edges/></net>', w), "empty"),
    "cut": (lambda x, w: (x[: len(x) // 2], w), "broken"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_what_no_honest_model_has_is_refused(kind: str, honest: dict[str, Path], tmp_path: Path) -> None:
    change, word = BROKEN[kind]
    assert word in refused(changed(honest, tmp_path, change))


def test_all_foreign_operators_are_named_at_once(honest: dict[str, Path], tmp_path: Path) -> None:
    path = changed(honest, tmp_path, lambda x, w: (x.replace('version="opset1"', 'version="mine"'), w))
    words = refused(path)
    assert all(name in words for name in ("Parameter (mine)", "MatMul (mine)", "Result (mine)"))


def test_the_two_files_come_alone(honest: dict[str, Path], tmp_path: Path) -> None:
    assert "config.json" in refused(changed(honest, tmp_path, lambda x, w: (x, w), "config.json"))
    assert "other.xml" in refused(changed(honest, tmp_path, lambda x, w: (x, w), "other.xml"))


def test_half_a_model_is_told_what_is_missing(honest: dict[str, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(honest["linear-openvino.zip"]) as archive:
        for name in ("model.xml", "model.bin"):
            (tmp_path / name).write_bytes(archive.read(name))
            assert "zip the .xml and the .bin together" in refused(tmp_path / name).lower().replace(
                "for openvino, ", ""
            )


def test_a_loop_is_looked_into(tmp_path: Path) -> None:
    import onnx

    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        looped (float[N, 2] x, int64 n, bool go) => (float[N, 2] y)
        { y = Loop(n, go, x) <body = step (int64 i, bool before, float[N, 2] a) => (bool after, float[N, 2] b)
            <float[2] w = {2, 3}> { after = Identity(before)  b = Mul(a, w) }> }
    """)
    onnx.save(model, tmp_path / "m.onnx")
    ir.write(ir.engine().Core().read_model(tmp_path / "m.onnx"), tmp_path / "m.zip")
    assert not refused(tmp_path / "m.zip")
    operators = IR.inspect(tmp_path / "m.zip").operators
    assert operators is not None
    assert {"Loop", "Multiply"} <= set(operators)


def test_the_engine_cannot_report_to_its_maker() -> None:
    import sys

    ir.engine()
    assert sys.modules["openvino_telemetry"] is None
