"""Codebooks corrected on samples: better answers from the same bits, more bits where they matter, zeros that stay."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.domain.errors import Refused
from core.onnx import files, kmeans, linear_layers, second_order, weights
from core.onnx.unfolding import unfold
from core.shrink.sensitivity import Change, chosen
from tests.techniques.samples import Sample, apply, sample, tiny


def few(model: Sample) -> dict[str, Any]:
    """The first samples of the calibration half."""
    return {name: array[:96] for name, array in model.calibration.items()}


def test_two_bits_hold_where_kmeans_falls(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    plain = apply("codebooks", model.source, tmp_path / "plain.onnx", bits=2)
    better = apply("codebooks_second_order", model.source, tmp_path / "b.onnx", few(model), bits=2, spread="even")
    assert abs(better.stat().st_size - plain.stat().st_size) < 2000
    assert model.flips(better) < model.flips(plain) / 2
    assert model.right(better) >= model.right(model.source) - 15


@pytest.mark.slow
def test_measured_bits_are_uneven_and_stay_within_the_budget(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    out = apply("codebooks_second_order", model.source, tmp_path / "out.onnx", few(model), bits=2.2)
    result = files.load(out)
    unfold(result)
    large = [w.array for w in weights.weights(result, 256) if w.array.ndim > 1]
    assert len({len(np.unique(array)) for array in large}) > 1
    assert out.stat().st_size < sum(array.size for array in large) * 2.2 / 8 + 3000
    assert model.right(out) >= model.right(model.source) - 15


def test_pruned_zeros_stay_zero(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    pruned = apply("prune_magnitude", model.source, tmp_path / "pruned.onnx", share=0.5)
    both = apply("codebooks_second_order", pruned, tmp_path / "both.onnx", few(model), bits=2, spread="even")
    before, after = (files.load(path) for path in (pruned, both))
    unfold(before)
    unfold(after)
    found = {weight.name: weight.array for weight in weights.weights(after)}
    for weight in weights.weights(before, 256):
        assert np.all(found[weight.name][weight.array == 0] == 0)
        assert len(np.unique(found[weight.name])) <= 4
    assert model.right(both) >= model.right(model.source) - 20


@pytest.mark.slow
def test_fewer_bits_make_a_pruned_file_smaller_where_bits_are_measured(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    pruned = apply("prune_magnitude", model.source, tmp_path / "pruned.onnx", share=0.8)
    made = [
        apply("codebooks_second_order", pruned, tmp_path / f"{bits}.onnx", few(model), bits=bits) for bits in (4, 2)
    ]
    assert made[1].stat().st_size < 0.9 * made[0].stat().st_size


def test_values_that_are_fitted_once_more_fit_better() -> None:
    rng = np.random.default_rng(0)
    seen = np.concatenate([rng.normal(size=(400, 6)) @ rng.normal(size=(6, 30)), np.ones((400, 1))], axis=1)
    target, moments = rng.normal(size=(8, 31)), seen.T @ seen / 400
    rough = target.copy()
    rough[:, :-1] = kmeans.shared(target[:, :-1], 4)
    apart = np.where(np.arange(31) < 30, 1.5 * rough, rough)
    fitted = second_order.recentred(apart, target, moments, 1)
    losses = [float(np.mean((seen @ (one - target).T) ** 2)) for one in (apart, rough, fitted)]
    assert losses[2] < 0.95 * losses[1] < losses[0] / 2
    assert len(np.unique(fitted[:, :-1])) == len(np.unique(rough[:, :-1])) == 4


def test_bytes_go_where_they_are_worth_most() -> None:
    cheap = [Change(2, 10, 0.5), Change(4, 20, 0.4), Change(8, 30, 0.39)]
    dear = [Change(2, 10, 9.0), Change(4, 20, 0.3), Change(8, 30, 0.0)]
    levels = [{n: c.level for n, c in chosen({"a": cheap, "b": dear}, most).items()} for most in (60, 40, 30, 5)]
    assert levels == [{"a": 8, "b": 8}, {"a": 2, "b": 8}, {"a": 2, "b": 4}, {"a": 2, "b": 2}]


def test_samples_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    for samples in ({}, {"x": np.zeros((4, 3, 28, 28), np.float32)}):
        with pytest.raises(Refused) as caught:
            apply("codebooks_second_order", model.source, tmp_path / "out.onnx", samples)
        assert "samples" in caught.value.message
        assert caught.value.next_step
    with pytest.raises(Refused, match="Conv, Gemm or MatMul"):
        apply("codebooks_second_order", tiny(tmp_path / "tiny.onnx"), tmp_path / "out.onnx", few(model))


def test_layers_come_in_the_order_in_which_they_run() -> None:
    found = linear_layers.layers(files.load(sample("spam_transformer").source), 256)
    assert [layer.weight.name for layer in found[:3]] == [
        "val_5",
        "encoder.layers.0.self_attn.out_proj.weight",
        "val_114",
    ]
    assert all(layer.bias is not None for layer in found)
