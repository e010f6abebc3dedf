"""Float16 and int8: answers that hold on data that was not learned from, files that shrink, and refusals where they would not."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from core.domain.errors import Refused
from core.formats.onnx import FORMAT
from core.libraries import ir
from core.onnx import calibration, files
from core.onnx.saturation import HostTruth, Kernel, Pairing
from core.shrink import integer_pairs, scaled_integers
from core.techniques import TECHNIQUES, dynamic_int8, static_int8
from tests.techniques.samples import FOLDER, apply, in_constants, sample

EVERY = ("float16", "dynamic_int8", "static_int8", "weights_nearest", "weights_gptq")
RNG = np.random.default_rng(5)


@pytest.mark.parametrize(
    ("technique", "name", "options", "smaller", "flips"),
    [
        ("float16", "fashion_cnn", {}, 1.95, 1),
        ("float16", "spam_transformer", {}, 1.95, 1),
        ("dynamic_int8", "fashion_cnn", {}, 1.9, 2),
        ("dynamic_int8", "spam_transformer", {}, 3.3, 3),
        ("dynamic_int8", "fashion_cnn", {"exact_on": "every processor"}, 1.9, 2),
        ("static_int8", "fashion_cnn", {}, 3.7, 4),
        ("static_int8", "fashion_cnn", {"exact_on": "every processor"}, 3.7, 6),
        ("static_int8", "fashion_cnn", {"method": "percentile"}, 3.7, 4),
        ("static_int8", "fashion_cnn", {"method": "error"}, 3.7, 4),
        ("static_int8", "fashion_cnn", {"method": "entropy"}, 3.7, 6),
        ("static_int8", "fashion_cnn", {"per_channel": False}, 3.7, 6),
        ("static_int8", "spam_transformer", {}, 3.3, 3),
        ("static_int8", "fashion_cnn", {"weight_bits": 4}, 7.0, 6),
        pytest.param(
            "static_int8",
            "spam_transformer",
            {"weight_bits": 4, "table_bits": 4},
            6.5,
            9,
            marks=pytest.mark.slow,
        ),
        ("weights_nearest", "fashion_cnn", {}, 3.7, 2),
        ("weights_nearest", "spam_transformer", {"bits": 6}, 4.4, 4),
        ("weights_gptq", "fashion_cnn", {}, 7.2, 6),
    ],
)
def test_samples_shrink_and_keep_their_answers(
    technique: str, name: str, options: dict[str, Any], smaller: float, flips: int, tmp_path: Path
) -> None:
    model = sample(name)
    learned = model.calibration if TECHNIQUES[technique].calibrates else None
    out = apply(technique, model.source, tmp_path / "out.onnx", learned, **options)
    assert model.source.stat().st_size > smaller * out.stat().st_size
    before, after = _answers(name), model.scores(out).argmax(1)
    assert (after == model.test.labels).sum() >= (before == model.test.labels).sum() - model.test.n // 200
    assert (after != before).sum() <= flips
    assert not [risk for risk in FORMAT.audit(out) if risk.level == "refuse"]


@pytest.mark.parametrize("technique", EVERY[:-1])
def test_weights_in_constant_nodes_count_too(technique: str, tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    moved = in_constants(model.source, tmp_path / "moved.onnx")
    out = apply(technique, moved, tmp_path / "out.onnx", model.calibration)
    plain = apply(technique, model.source, tmp_path / "plain.onnx", model.calibration)
    assert out.stat().st_size < plain.stat().st_size * 1.02
    assert np.array_equal(model.scores(out), model.scores(plain))


@pytest.mark.parametrize("bits", [4, 8])
def test_static_int8_runs_in_integers_throughout(bits: int, tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    out = apply("static_int8", model.source, tmp_path / "out.onnx", model.calibration, weight_bits=bits)
    ran = _optimised(out, tmp_path)
    assert ran.count("QLinearConv") == 3
    assert ran.count("QGemm") == 2
    assert not {"Conv", "Gemm", "Relu"} & set(ran)


def test_dynamic_int8_multiplies_in_integers_and_leaves_convolutions(tmp_path: Path) -> None:
    ran = _optimised(apply("dynamic_int8", sample("fashion_cnn").source, tmp_path / "out.onnx"), tmp_path)
    assert ran.count("DynamicQuantizeMatMul") == 2
    assert sum(name in ("Conv", "FusedConv") for name in ran) == 3


@pytest.mark.parametrize("technique", ["dynamic_int8", "static_int8"])
def test_a_file_is_not_quantized_twice(technique: str, tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    once = apply(technique, model.source, tmp_path / "once.onnx", model.calibration)
    summary = FORMAT.inspect(once)
    for again in EVERY[1:]:
        trouble = TECHNIQUES[again].applies(summary)
        assert trouble is not None
        assert "already quantized" in trouble.message
        with pytest.raises(Refused, match=r"already quantized: it holds .*Linear"):
            apply(again, once, tmp_path / "twice.onnx", model.calibration)


def test_correction_from_samples_beats_rounding_to_the_nearest(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    near = apply("weights_nearest", model.source, tmp_path / "near.onnx", bits=4)
    corrected = apply("weights_gptq", model.source, tmp_path / "corrected.onnx", model.calibration, bits=4)
    truth = model.scores(model.source)
    gained = [calibration.signal_to_noise(truth, model.scores(path)) for path in (near, corrected)]
    assert gained[1] > gained[0] + 3


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_integers_have_the_bits_that_were_asked_for(bits: int) -> None:
    array = RNG.normal(size=(24, 40)).astype(np.float32) * np.linspace(0.01, 5, 24, dtype=np.float32)[:, None]
    scaled = scaled_integers.nearest(array, bits)
    assert scaled.axis == 0
    assert len(np.unique(scaled.codes)) <= 2**bits
    assert calibration.signal_to_noise(array, scaled.array) > 6 * bits - 6


def test_integer_weights_are_folded_at_load(tmp_path: Path) -> None:
    out = apply("weights_nearest", sample("fashion_cnn").source, tmp_path / "out.onnx")
    assert not {"Mul", "Cast", "DequantizeLinear"} & set(_optimised(out, tmp_path))


def test_float16_is_not_applied_twice(tmp_path: Path) -> None:
    once = apply("float16", sample("fashion_cnn").source, tmp_path / "once.onnx")
    trouble = TECHNIQUES["float16"].applies(FORMAT.inspect(once))
    assert trouble is not None
    assert "float16" in trouble.message
    with pytest.raises(Refused, match="nothing to halve"):
        apply("float16", once, tmp_path / "twice.onnx")


@pytest.mark.parametrize("technique", EVERY)
def test_trees_are_refused_by_what_they_hold(technique: str, tmp_path: Path) -> None:
    source = FOLDER / "segment" / "model.onnx"
    assert TECHNIQUES[technique].applies(FORMAT.inspect(source)) is not None
    with pytest.raises(Refused, match="nothing to"):
        apply(technique, source, tmp_path / "out.onnx", {"x": np.zeros((40, 18), np.float32)})
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize("technique", EVERY)
def test_a_file_that_would_not_shrink_is_refused(technique: str, tmp_path: Path) -> None:
    source = _save(tmp_path, _linear(7, 9))
    with pytest.raises(Refused, match=r"too small to gain|nothing to"):
        apply(technique, source, tmp_path / "out.onnx", {"x": RNG.normal(size=(40, 7)).astype(np.float32)})


def test_float16_keeps_what_it_cannot_hold(tmp_path: Path) -> None:
    model = _linear(40, 60)
    large = numpy_helper.to_array(model.graph.initializer[0]) * np.float32(1e6)
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(large.T), "large"))
    model.graph.node.append(helper.make_node("MatMul", ["y", "large"], ["z"]))
    model.graph.output[0].name = "z"
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 40
    source = _save(tmp_path, model)
    out = apply("float16", source, tmp_path / "out.onnx")
    x = {"x": RNG.normal(size=(4, 40)).astype(np.float32)}
    before, after = _run(source, x), _run(out, x)
    assert np.allclose(before, after, rtol=5e-3, atol=5e-3 * np.abs(before).max())
    assert "large" in {tensor.name for tensor in files.load(out).graph.initializer}


def test_gemm_with_alpha_and_a_bias_of_its_own_keeps_its_answers(tmp_path: Path) -> None:
    model = _linear(40, 60, "Gemm", alpha=0.5, transB=0)
    model.graph.initializer.append(numpy_helper.from_array(RNG.normal(size=60).astype(np.float32), "b"))
    model.graph.node[0].input.append("b")
    source = _save(tmp_path, model)
    x = {"x": RNG.normal(size=(16, 40)).astype(np.float32)}
    out = apply("dynamic_int8", source, tmp_path / "out.onnx")
    assert calibration.signal_to_noise(_run(source, x), _run(out, x)) > 35


def test_products_in_branches_are_quantized(tmp_path: Path) -> None:
    source = _save(tmp_path, _branching())
    out = apply("dynamic_int8", source, tmp_path / "out.onnx")
    assert source.stat().st_size > 3 * out.stat().st_size
    x = RNG.normal(size=(16, 40)).astype(np.float32)
    for yes in (True, False):
        feed = {"x": x, "yes": np.array(yes)}
        assert calibration.signal_to_noise(_run(source, feed), _run(out, feed)) > 35


def test_an_old_operator_set_is_refused_with_the_way_out(tmp_path: Path) -> None:
    source = _save(tmp_path, _linear(40, 60, opset=10))
    with pytest.raises(Refused, match="Opset 10") as refusal:
        apply("dynamic_int8", source, tmp_path / "out.onnx")
    assert "Convert it to a newer opset" in refusal.value.next_step


def test_static_int8_needs_samples_and_known_names(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    with pytest.raises(Refused, match="there are none"):
        apply("static_int8", model.source, tmp_path / "out.onnx")
    with pytest.raises(Refused, match="called nothing"):
        apply("static_int8", model.source, tmp_path / "out.onnx", model.calibration, keep="nothing")


def test_weights_that_are_to_be_kept_stay(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    out = apply("static_int8", model.source, tmp_path / "out.onnx", model.calibration, keep="stages.0.weight")
    kept = {tensor.name for tensor in files.load(out).graph.initializer}
    assert "stages.0.weight" in kept
    assert "stages.4.weight" not in kept


def test_samples_that_do_not_run_are_refused(tmp_path: Path) -> None:
    wrong = {"x": np.zeros((40, 1, 20, 20), np.float32)}
    with pytest.raises(Refused, match="cannot run the samples"):
        apply("static_int8", sample("fashion_cnn").source, tmp_path / "out.onnx", wrong)


@pytest.mark.parametrize("options", [{}, {"weight_bits": 4}])
def test_another_engine_answers_alike(options: dict[str, Any], tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    out = apply("static_int8", model.source, tmp_path / "out.onnx", model.calibration, **options)
    compiled = ir.engine().Core().compile_model(str(out), "CPU")
    found = np.concatenate([compiled(model.test.rows(at, at + 100))[0] for at in range(0, 200, 100)])
    assert (found.argmax(1) == model.scores(out)[:200].argmax(1)).sum() >= 197


def test_saturation_is_told_from_rounding() -> None:
    answers = RNG.normal(size=1000)
    near, far = answers + RNG.normal(size=1000) * 0.01, np.clip(answers, -1, 1)
    assert static_int8.saturates(answers, near, far)
    assert not static_int8.saturates(answers, near, near + 1e-4)


def test_types_follow_what_was_measured_and_asked() -> None:
    truth = _haswell()
    assert dynamic_int8.pairing(truth, "this processor") is Pairing.U8U8
    assert dynamic_int8.pairing(truth, "every processor") is Pairing.U8U8
    assert static_int8.pairings(truth, ("QDQ Conv",), "this processor")[0] is Pairing.U8S8_REDUCED
    with pytest.raises(Refused, match="No integer product is exact"):
        dynamic_int8.pairing(HostTruth("none", (), ()), "this processor")


def test_each_pairing_is_simulated_alike(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    folded = calibration.folded(model.source)
    found = integer_pairs.sites(folded)
    names = [name for site in found for name in (site.node.input[0], site.after) if name]
    spans = calibration.ranges(folded, names, model.calibration, ("minmax",), 100)["minmax"]
    integer_pairs.join(spans, folded)
    answers = [
        calibration.joined(calibration.session(made.SerializeToString(), "none"), model.calibration)
        for made in (
            integer_pairs.quantized(folded, found, spans, pairing, True, {}) for pairing in (Pairing.U8S8, Pairing.U8U8)
        )
    ]
    assert np.allclose(*answers, atol=1e-4)


@pytest.mark.parametrize("method", ["percentile", "error", "entropy"])
def test_ranges_leave_out_a_lonely_extreme(method: str) -> None:
    x = RNG.normal(size=(2000, 40)).astype(np.float32)
    x[0, 0] = 9 if method == "error" else 60
    model = _linear(40, 60)
    low, high = calibration.ranges(model, ["x"], {"x": x}, (method,), 99.9)[method]["x"]
    assert calibration.ranges(model, ["x"], {"x": x}, ("minmax",), 100)["minmax"]["x"][1] == x[0, 0]
    assert -6 < low < -2
    assert 2 < high < x[0, 0] / 1.1


@cache
def _answers(name: str) -> Any:
    model = sample(name)
    return model.scores(model.source).argmax(1)


def _haswell() -> HostTruth:
    """Return what was measured on an emulated Haswell."""
    operators = {"MatMulInteger": 354, "QDQ Conv": 595}
    wrong = tuple(Kernel(name, Pairing.U8S8, count, 1152) for name, count in operators.items())
    exact = (Pairing.U8S8_REDUCED, Pairing.U8U8, Pairing.S8S8)
    return HostTruth("Haswell", (), (*wrong, *(Kernel(name, pair, 0, 1152) for name in operators for pair in exact)))


def _linear(inputs: int, outputs: int, operator: str = "MatMul", opset: int = 17, **attributes: Any) -> onnx.ModelProto:
    weight = numpy_helper.from_array(RNG.normal(size=(inputs, outputs)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "w"], ["y"], **attributes)],
        "linear",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", inputs])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", outputs])],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def _branching() -> onnx.ModelProto:
    """Return a model whose branches hold their matrices under one name, one in a Constant node and one as initializer."""
    matrices = [RNG.normal(size=(40, 60)).astype(np.float32) for _ in range(2)]
    out = helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["batch", 60])
    product = helper.make_node("MatMul", ["x", "w"], ["z"])
    constant = helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(matrices[0], "w"))
    yes = helper.make_graph([constant, product], "yes", [], [out])
    no = helper.make_graph([product], "no", [], [out], [numpy_helper.from_array(matrices[1], "w")])
    graph = helper.make_graph(
        [helper.make_node("If", ["yes"], ["y"], then_branch=yes, else_branch=no)],
        "branching",
        [
            helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 40]),
            helper.make_tensor_value_info("yes", onnx.TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", 60])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _save(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "source.onnx"
    onnx.save(model, path)
    return path


def _run(path: Path, feed: dict[str, Any]) -> Any:
    return calibration.session(path, "all").run(None, feed)[0]


def _optimised(path: Path, folder: Path) -> list[str]:
    """Return the operators that ONNX Runtime runs for a file."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(folder / "ran.onnx"), 4
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(folder / "ran.onnx").graph.node]
