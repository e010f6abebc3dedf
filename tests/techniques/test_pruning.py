"""Pruning: as many zeros as were asked for, files that shrink by them, and corrections that help on rows never seen."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from core.domain.errors import Refused
from core.onnx import files, linear_layers, second_order, sparsity_patterns, weights
from core.onnx.unfolding import unfold
from core.shrink import sensitivity
from core.shrink.sensitivity import Change
from tests.techniques.samples import apply, in_constants, sample, tiny


def zeros(path: Path) -> dict[str, float]:
    """Return the share of zeros of each large tensor."""
    model = files.load(path)
    unfold(model)
    large = [weight for weight in weights.weights(model, 256) if len(weight.tensor.dims) > 1]
    return {weight.name: float(np.mean(weight.array == 0)) for weight in large}


@pytest.mark.parametrize("technique", ["prune_magnitude", "prune_second_order"])
@pytest.mark.parametrize("name", ["fashion_cnn", "spam_transformer"])
def test_every_tensor_loses_its_share_and_the_file_shrinks(name: str, technique: str, tmp_path: Path) -> None:
    model = sample(name)
    samples = {key: array[:64] for key, array in model.calibration.items()}
    options = {"spread": "even"} if technique == "prune_second_order" else {}
    out = apply(technique, model.source, tmp_path / "out.onnx", samples, share=0.6, **options)
    assert all(share == pytest.approx(0.6, abs=0.02) for share in zeros(out).values())
    assert model.source.stat().st_size > 2.1 * out.stat().st_size


def test_correction_keeps_answers_that_magnitude_loses(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    plain = apply("prune_magnitude", model.source, tmp_path / "plain.onnx", share=0.75)
    corrected = apply(
        "prune_second_order", model.source, tmp_path / "better.onnx", model.calibration, share=0.75, spread="even"
    )
    assert model.right(corrected) > model.right(plain) + 50
    assert model.right(corrected) > model.right(model.source) - 40


def test_bytes_that_a_large_step_saved_are_spent() -> None:
    large = [Change(0, 100, 0.0), Change(1, 90, 0.5), Change(2, 10, 0.6)]
    small = [Change(0, 40, 0.0), Change(1, 30, 0.01)]
    picked = sensitivity.chosen({"large": large, "small": small}, 100)
    assert (picked["large"].level, picked["small"].level) == (2, 0)


@pytest.mark.slow
def test_measured_shares_keep_more_answers_in_no_more_bytes(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    few = {"x": model.calibration["x"][:128]}
    even, measured = (
        apply("prune_second_order", model.source, tmp_path / f"{how}.onnx", few, share=0.9, spread=how)
        for how in ("even", "measured")
    )
    assert measured.stat().st_size <= even.stat().st_size * 1.01
    assert model.right(measured) > model.right(even) + 15
    assert len({round(share, 2) for share in zeros(measured).values()}) > 1


@pytest.mark.parametrize(
    ("technique", "options", "few", "of"),
    [
        ("prune_magnitude", {"pattern": "2:4"}, 2, 4),
        ("prune_magnitude", {"pattern": "4:8"}, 4, 8),
        ("prune_magnitude", {"pattern": "1:4"}, 1, 4),
        ("prune_second_order", {"pattern": "2:4", "spread": "even"}, 2, 4),
    ],
)
def test_patterns_leave_so_many_of_so_many(
    technique: str, options: dict[str, Any], few: int, of: int, tmp_path: Path
) -> None:
    model = sample("fashion_cnn")
    samples = {"x": model.calibration["x"][:64]}
    out = files.load(apply(technique, model.source, tmp_path / "out.onnx", samples, **options))
    assert model.source.stat().st_size > 0.85 * of / few * (tmp_path / "out.onnx").stat().st_size
    unfold(out)
    for weight in [weight for weight in weights.weights(out, 256) if len(weight.tensor.dims) > 1]:
        along = np.moveaxis(weight.array, sparsity_patterns.input_axis(weight), -1)
        if along.shape[-1] >= of:
            grouped = along[..., : along.shape[-1] // of * of].reshape(*along.shape[:-1], -1, of)
            assert set(np.unique(np.count_nonzero(grouped, axis=-1))) == {few}


def test_inputs_left_over_from_a_pattern_stay_whole() -> None:
    array = np.arange(1, 15, dtype=np.float32).reshape(2, 7)
    assert sparsity_patterns.largest_left(array, 1, "2:4")[0].tolist() == [0, 0, 3, 4, 5, 6, 7]
    assert np.array_equal(
        sparsity_patterns.largest_left(array.T, 0, "2:4").T, sparsity_patterns.largest_left(array, 1, "2:4")
    )
    found, rest = sparsity_patterns.groups(5, 3, 4)
    assert found.tolist() == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]
    assert rest.tolist() == [12, 13, 14]


def test_ranked_in_the_model_some_tensors_lose_more(tmp_path: Path) -> None:
    shares = zeros(apply("prune_magnitude", sample("fashion_cnn").source, tmp_path / "out.onnx", scope="model"))
    assert shares["head.1.weight"] > 0.7 > shares["head.5.weight"]


def test_pruned_weights_are_shared_without_their_zeros(tmp_path: Path) -> None:
    source = sample("fashion_cnn").source
    pruned = apply("prune_magnitude", source, tmp_path / "pruned.onnx", share=0.8)
    both = apply("codebooks", pruned, tmp_path / "both.onnx", bits=4)
    assert zeros(both) == zeros(pruned)
    assert source.stat().st_size > 13 * both.stat().st_size


def test_weights_in_constant_nodes_are_pruned(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    moved = in_constants(model.source, tmp_path / "moved.onnx")
    samples = {"x": model.calibration["x"][:64]}
    for technique, options in (("prune_magnitude", {}), ("prune_second_order", {"spread": "even"})):
        out = apply(technique, moved, tmp_path / f"{technique}.onnx", samples, share=0.5, **options)
        assert model.source.stat().st_size > 1.7 * out.stat().st_size
        assert model.flips(out) < 30


@pytest.mark.parametrize("pads", [{"pads": [1, 0, 2, 1]}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}])
@pytest.mark.parametrize("strides", [[1, 1], [2, 3]])
def test_rows_times_matrix_is_the_layer(pads: dict[str, Any], strides: list[int]) -> None:
    dilations = [1, 1] if "auto_pad" in pads else [2, 1]
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(5, 3, 3, 2)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=strides, dilations=dilations, **pads)
    given = rng.normal(size=(2, 3, 11, 10)).astype(np.float32)
    model = one_layer(node, weight, given.shape)
    layer = linear_layers.layers(model, 1)[0]
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": given})[0]
    every = layer.rows(given, 2)
    assert np.allclose(every[:, :-1] @ layer.matrix.T, np.moveaxis(expected, 1, -1).reshape(-1, 5), atol=1e-5)
    few = layer.rows(given, 32 * linear_layers.ROWS // 7)
    assert len(few) == 7
    assert {row.tobytes() for row in few} < {row.tobytes() for row in every}
    assert np.array_equal(layer.array(layer.matrix), weight)


def one_layer(node: Any, weight: Any, shape: tuple[int, ...]) -> Any:
    """A model of one node that reads ``x`` and ``w``."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "one",
        [value("x", 1, shape)],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_what_stays_makes_up_for_what_goes() -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(500, 12)) @ rng.normal(size=(12, 40)) + 0.1 * rng.normal(size=(500, 40))
    matrix, moments = rng.normal(size=(20, 40)), seen.T @ seen / 500

    def half(columns: Any, *_: Any) -> Any:
        return np.abs(columns) > np.quantile(np.abs(columns), 0.5)

    def loss(found: Any) -> float:
        return float(np.mean((seen @ (found - matrix).T) ** 2))

    plain = np.where(half(matrix), matrix, 0)
    found = second_order.reconstruct(matrix, moments, half, lambda column: column, 0)
    settled = second_order.settled(found, matrix, moments)
    assert np.mean(found == 0) == pytest.approx(0.5, abs=0.01)
    assert np.array_equal(settled == 0, found == 0)
    assert loss(settled) < 0.1 * loss(found) < 0.1 * loss(plain)


def test_refusals_name_what_is_missing(tmp_path: Path) -> None:
    small = tiny(tmp_path / "tiny.onnx")
    for technique, source, reason in (
        ("prune_magnitude", small, "two or more dimensions"),
        ("prune_second_order", small, "Conv, Gemm or MatMul"),
        ("prune_second_order", sample("fashion_cnn").source, "samples"),
        ("prune_magnitude", sample("segment").source, "two or more dimensions"),
    ):
        with pytest.raises(Refused) as caught:
            apply(technique, source, tmp_path / "out.onnx")
        assert reason in caught.value.message
        assert caught.value.next_step
