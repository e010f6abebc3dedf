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
from core.onnx.saturation import Pairing
from core.shrink import equalization, integer_drafts, integer_pairs, scaled_integers
from core.techniques.static_int8 import TRIED
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


def simulated(pairing: Pairing, methods: tuple[str, ...], rows: int) -> tuple[float, float]:
    """Return how near a trained model in integers answers held-out samples, in decibels, without repairs and with the best of them.

    The pairs run in floats, as they are meant, so that it is the same on every processor, whichever integers it has.
    """
    trained = sample("fashion_cnn")
    samples, held = {"x": trained.calibration["x"][:rows]}, {"x": trained.test.inputs["x"][:256]}
    model = calibration.folded(trained.source)
    ranged = integer_drafts.drafts(model, integer_pairs.sites(model), {}, methods, 99.99, samples)
    few = {"x": samples["x"][: integer_drafts.FEW]}
    reference, expected = (
        calibration.joined(calibration.session(trained.source, "all"), given) for given in (few, held)
    )
    plain = integer_drafts.nearest(ranged, pairing, True, reference, few)
    best = integer_drafts.nearest([plain, *integer_drafts.repaired(plain, samples)], pairing, True, reference, few)
    contents = (one.quantized(pairing, True).SerializeToString() for one in (plain, best))
    answers = [calibration.joined(calibration.session(content, "none"), held) for content in contents]
    return tuple(calibration.signal_to_noise(expected, one) for one in answers)  # type: ignore[return-value]


EIGHT_AND_SEVEN_BITS = [Pairing.U8S8, Pairing.U8S8_REDUCED]


@pytest.mark.parametrize("pairing", EIGHT_AND_SEVEN_BITS)
def test_repairs_help_a_trained_model_on_rows_that_they_did_not_see(pairing: Pairing) -> None:
    plain, best = simulated(pairing, ("minmax",), 64)
    assert best > plain + 1


@pytest.mark.parametrize("pairing", EIGHT_AND_SEVEN_BITS)
def test_repairs_and_measured_ranges_add_up(pairing: Pairing) -> None:
    """Ranges win a decibel where weights have eight bits; with seven, the rounding of weights hides what they win."""
    first, measured = simulated(pairing, ("minmax",), 256), simulated(pairing, TRIED, 256)
    assert measured[1] > measured[0] + 1
    assert measured[1] > first[1] + (1 if pairing is Pairing.U8S8 else 0)


@pytest.mark.integers
def test_the_kernels_of_this_processor_keep_what_repairs_win(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    samples, held = {"x": model.calibration["x"][:64]}, {"x": model.test.inputs["x"][:64]}
    plain, best = (
        noise(
            model.source,
            apply("static_int8", model.source, tmp_path / "out.onnx", samples, method="minmax", repair=r),
            held,
        )
        for r in ("never", "measured")
    )
    assert best > plain + 1


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
