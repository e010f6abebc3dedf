"""Biases and scales that make up for rounding: the answers of the model stay, and those of its integers come nearer."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from core.domain.errors import Refused
from core.onnx import calibration, weights
from core.onnx.integers import moved, symmetric
from core.shrink import equalization, integer_pairs, scaled_integers
from tests.techniques.samples import apply, sample
from tests.techniques.strangers import branches, depthwise, filled, rows, tokens


def noise(source: Path, out: Path, samples: dict[str, Any]) -> float:
    """Return how far the answers of two files lie apart, in decibels."""
    return calibration.signal_to_noise(
        *(calibration.joined(calibration.session(path, "all"), samples) for path in (source, out))
    )


def test_equalizing_leaves_the_answers(tmp_path: Path) -> None:
    samples = depthwise(tmp_path / "source.onnx")
    model = calibration.folded(tmp_path / "source.onnx")
    pairs = equalization.pairs(model, integer_pairs.sites(model))
    assert [(p.first.node.op_type, p.second.node.op_type) for p in pairs] == [("Conv", "Conv")]
    before = calibration.joined(calibration.session(model.SerializeToString(), "all"), samples)
    arrays = equalization.equalized(pairs)
    for weight in [weight for weight in weights.weights(model) if weight.name in arrays]:
        weight.put(arrays[weight.name].astype(np.float32))
    after = calibration.joined(calibration.session(model.SerializeToString(), "all"), samples)
    assert np.allclose(before, after, rtol=1e-4, atol=1e-5 * np.abs(before).max())
    first = np.abs(arrays[pairs[0].first.weight.name]).max(axis=(1, 2, 3))
    second = np.abs(arrays[pairs[0].second.weight.name]).max(axis=(0, 2, 3))
    assert np.allclose(first, second, rtol=1e-2)


@pytest.mark.parametrize("between", ["Sigmoid", "Relu"])
def test_only_what_hands_factors_on_joins_layers(between: str) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (float[N, 40] x) => (float[N, 10] y) { h = Gemm (x, w1, b1)  r = %s (h)  y = Gemm (r, w2, b2) }"""
    model = filled(text % between, {"w1": (40, 64), "b1": (64,), "w2": (64, 10), "b2": (10,)})
    assert len(equalization.pairs(model, integer_pairs.sites(model))) == (between == "Relu")
    model.graph.output.append(helper.make_tensor_value_info("r", 1, None))
    assert not equalization.pairs(model, integer_pairs.sites(model))


@pytest.mark.parametrize("per_channel", [True, False])
def test_repairs_bring_unlike_channels_nearer(per_channel: bool, tmp_path: Path) -> None:
    samples = depthwise(tmp_path / "source.onnx")
    held = {"x": np.random.default_rng(11).normal(size=(64, 8, 9, 9)).astype(np.float32)}
    lost = [
        noise(
            tmp_path / "source.onnx",
            apply(
                "static_int8",
                _large(tmp_path / "source.onnx"),
                tmp_path / "out.onnx",
                samples,
                per_channel=per_channel,
                repair=repair,
                method="minmax",
            ),
            held,
        )
        for repair in ("never", "measured")
    ]
    assert lost[1] > lost[0] + 1


def test_repairs_help_a_trained_model_on_rows_that_they_did_not_see(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    held = {"x": model.test.inputs["x"][:256]}
    found = {
        (method, repair): noise(
            model.source,
            apply("static_int8", model.source, tmp_path / "out.onnx", model.calibration, method=method, repair=repair),
            held,
        )
        for method, repair in (("minmax", "never"), ("minmax", "measured"), ("measured", "measured"))
    }
    assert found["minmax", "measured"] > found["minmax", "never"] + 1
    assert found["measured", "measured"] > found["minmax", "measured"] + 1


def test_the_moved_mean_is_that_of_rounding() -> None:
    x, draw = rows(6) + 2, np.random.default_rng(1)
    for axis, array in ((0, draw.normal(size=(4, 6))), (1, draw.normal(size=(6, 4)))):
        values, scales = symmetric(array, axis, 7)
        rough = values * np.expand_dims(scales, 1 - axis)
        product = (x @ (rough - array).T if axis == 0 else x @ (rough - array)).mean(0)
        assert np.allclose(moved(array, values, scales, axis, x.mean(0)), product, atol=1e-5)
    array = draw.normal(size=(4, 3, 2, 2))
    values, scales = symmetric(array, None, 7)
    expected = [((values * scales - array)[out].sum((1, 2)) @ (x.mean(0)[out // 2 * 3 :][:3])) for out in range(4)]
    assert np.allclose(moved(array, values, scales, 0, x.mean(0)), expected, atol=1e-5)


def test_tables_are_rounded_before_the_layers_make_up_for_it(tmp_path: Path) -> None:
    samples = tokens(tmp_path / "source.onnx")
    source, bits = _large(tmp_path / "source.onnx"), {"weight_bits": 6, "repair": "never", "method": "minmax"}
    out = apply("static_int8", source, tmp_path / "out.onnx", samples, table_bits=3, **bits)
    late = apply("static_int8", source, tmp_path / "late.onnx", samples, tables=False, **bits)
    model = onnx.load(late)
    table = next(weight for weight in weights.weights(model) if weight.name == "table")
    table.put(scaled_integers.along(table.array, scaled_integers.fitted(table.array, 0, 3), 0, 3).array)
    onnx.save(model, late)
    assert noise(source, out, samples) > noise(source, late, samples) + 0.5


def test_layers_in_branches_are_named(tmp_path: Path) -> None:
    samples = branches(tmp_path / "source.onnx")
    with pytest.raises(Refused, match=r"branches or loops.*w1, w2"):
        apply("static_int8", tmp_path / "source.onnx", tmp_path / "out.onnx", samples)


def _large(path: Path) -> Path:
    """Add a layer that nobody reads to make room for the nodes around small layers."""
    model = onnx.load(path)
    ballast = numpy_helper.from_array(np.arange(8000, dtype=np.float32), "ballast")
    model.graph.initializer.append(ballast)
    large = path.with_name("large.onnx")
    onnx.save(model, large)
    return large
