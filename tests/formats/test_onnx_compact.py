"""A compact file holds as many weights as the one that it was made from, and says that it is compact."""

from pathlib import Path

import pytest

from core.formats import FORMATS
from tests.techniques.samples import apply, sample

ONNX = FORMATS["onnx"]


@pytest.mark.parametrize("name", ["fashion_cnn", "spam_transformer"])
@pytest.mark.parametrize(
    ("technique", "options"),
    [
        ("codebooks", {"bits": 4}),
        ("codebooks", {"bits": 3}),
        ("prune_magnitude", {"share": 0.8}),
        ("weights_nearest", {"bits": 8}),
    ],
)
def test_packed_words_are_no_parameters(name: str, technique: str, options: dict[str, float], tmp_path: Path) -> None:
    source = sample(name).source
    before, after = ONNX.inspect(source), ONNX.inspect(apply(technique, source, tmp_path / "out.onnx", **options))
    assert before.parameters
    assert after.parameters is not None
    assert abs(after.parameters - before.parameters) < 0.02 * before.parameters
    large = {layer.shape for layer in before.layers if len(layer.shape) > 1 and layer.dtype == "float32"}
    assert large <= {layer.shape for layer in after.layers}
    assert after.precision
    assert "float32" in after.precision
    assert 1 < after.notes["bits_a_weight"] < 16
    assert any("already compact" in risk.what for risk in ONNX.audit(tmp_path / "out.onnx"))
    assert not any("already compact" in risk.what for risk in ONNX.audit(source))
    if technique == "prune_magnitude":
        assert after.sparsity == pytest.approx(0.8, abs=0.02)


def test_a_quantized_file_says_so(tmp_path: Path) -> None:
    out = apply("dynamic_int8", sample("spam_transformer").source, tmp_path / "out.onnx")
    assert any("already quantized" in risk.what and "MatMulInteger" in risk.what for risk in ONNX.audit(out))


def test_trees_are_no_layers(tmp_path: Path) -> None:
    source = sample("segment").source
    out = apply("clean_trees", source, tmp_path / "out.onnx")
    before, after = ONNX.inspect(source), ONNX.inspect(out)
    assert before.layers == ()
    assert {layer.shape for layer in after.layers} == {(1, 7)}
    assert before.parameters
    assert after.parameters
    assert after.parameters < before.parameters
    assert after.precision == "float32"
