"""Codebooks: as many values as were asked for, smaller files, answers that hold, and tensors that stay."""

from pathlib import Path

import numpy as np
import pytest

from core.domain.errors import Refused
from core.onnx import files, kmeans, weights
from core.onnx.unfolding import unfold
from tests.techniques.samples import apply, arrays, in_constants, sample, tiny


@pytest.mark.parametrize(("name", "bits", "smaller"), [("fashion_cnn", 4, 7.0), ("spam_transformer", 5, 5.0)])
def test_samples_shrink_and_keep_their_answers(name: str, bits: int, smaller: float, tmp_path: Path) -> None:
    model = sample(name)
    out = apply("codebooks", model.source, tmp_path / "out.onnx", bits=bits)
    assert model.source.stat().st_size > smaller * out.stat().st_size
    assert model.right(out) >= model.right(model.source) - 5
    assert 0 < model.flips(out) <= 10


def test_each_tensor_keeps_its_values_and_small_ones_stay(tmp_path: Path) -> None:
    source = sample("fashion_cnn").source
    model = files.load(apply("codebooks", source, tmp_path / "out.onnx", bits=3))
    assert unfold(model) == {"stages.4.weight", "stages.8.weight", "head.1.weight", "head.5.weight"}
    found = {weight.name: weight.array for weight in weights.weights(model)}
    for name, before in ((n, a) for n, a in arrays(source).items() if a.dtype.kind == "f"):
        large = before.size >= 256 and before.ndim > 1
        assert np.array_equal(found[name], before) != large
        assert not large or len(np.unique(found[name])) <= 8


def test_weights_in_constant_nodes_are_shared(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    moved = in_constants(model.source, tmp_path / "moved.onnx")
    out = apply("codebooks", moved, tmp_path / "out.onnx")
    plain = apply("codebooks", model.source, tmp_path / "plain.onnx")
    assert out.stat().st_size < plain.stat().st_size * 1.01
    assert np.array_equal(model.scores(out), model.scores(plain))


def test_what_is_shared_can_be_shared_again(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    five = apply("codebooks", model.source, tmp_path / "five.onnx", bits=5)
    three = apply("codebooks", five, tmp_path / "three.onnx", bits=3)
    assert three.stat().st_size < 0.7 * five.stat().st_size


def test_pruned_zeros_stay_zero() -> None:
    rng = np.random.default_rng(0)
    array = np.where(rng.random((50, 50)) < 0.5, np.float32(0), rng.normal(size=(50, 50)).astype(np.float32))
    found = kmeans.shared(array, 8)
    assert np.array_equal(found == 0, array == 0)
    assert len(np.unique(found)) == 8


def test_no_value_lies_nearer_and_no_mean_is_better() -> None:
    values = np.sort(np.random.default_rng(1).normal(size=3000))
    found = kmeans.centres(values, 16)
    taken = kmeans.nearest(values, found)
    assert np.allclose(np.abs(values - taken), np.abs(values[:, None] - found).min(1))
    assert all(np.isclose(values[taken == one].mean(), one) for one in np.unique(taken))


def test_a_model_without_large_tensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        apply("codebooks", tiny(tmp_path / "tiny.onnx"), tmp_path / "out.onnx")
    assert "two or more dimensions" in caught.value.message
    assert caught.value.next_step
