"""Pruned channels: what goes together, that cutting silent channels changes nothing, and what is left of the samples."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from core.domain.errors import Refused
from core.formats import FORMATS
from core.onnx import files
from core.onnx.weights import weights
from core.proof.speed import race
from core.runtimes import RUNTIMES, runtime_for
from core.shrink.channels import budget
from core.shrink.channels.cut import cut
from core.shrink.channels.groups import Channels, channels
from core.techniques.prune_channels import TECHNIQUE
from tests.techniques.samples import apply, arrays, in_constants, sample, tiny

PICTURE = "float[N, 3, 8, 8] x"
CONV = "kernel_shape=[3, 3], pads=[1, 1, 1, 1]"
GRAPHS: dict[str, tuple[str, dict[str, tuple[int, ...]], tuple[int, ...], str]] = {
    "normalised, pooled, flattened": (
        f"""c = Conv <{CONV}> (x, a, ab)
        n = BatchNormalization (c, s, t, m, v)
        r = LeakyRelu (n)
        p = MaxPool <kernel_shape=[2, 2], strides=[2, 2]> (r)
        f = Flatten (p)
        y = Gemm <transB=1> (f, d, db)""",
        {"a": (8, 3, 3, 3), "ab": (8,), "s": (8,), "t": (8,), "m": (8,), "v": (8,), "d": (5, 128), "db": (5,)},
        (2, 3, 8, 8),
        "a:0 ab:0 d:1 m:0 s:0 t:0 v:0",
    ),
    "residual": (
        f"""c = Conv <{CONV}> (x, a)
        r = Relu (c)
        i = Conv <{CONV}> (r, b)
        s = Add (c, i)
        h = Mul (s, k)
        g = GlobalAveragePool (h)
        f = Flatten (g)
        y = Gemm (f, d)""",
        {"a": (8, 3, 3, 3), "b": (8, 8, 3, 3), "k": (8, 1, 1), "d": (8, 5)},
        (2, 3, 8, 8),
        "a:0 b:0 b:1 d:0 k:0",
    ),
    "concatenated": (
        f"""c = Conv <{CONV}> (x, a)
        e = Conv <{CONV}> (x, b)
        j = Concat <axis=1> (c, e)
        k = Conv <{CONV}> (j, w)
        y = ReduceMean <axes=[1]> (k)""",
        {"a": (8, 3, 3, 3), "b": (6, 3, 3, 3), "w": (4, 14, 3, 3)},
        (2, 3, 8, 8),
        "a:0 w:1 | b:0 w:1",
    ),
    "depthwise": (
        f"""c = Conv <{CONV}> (x, a)
        e = Conv <{CONV}, group=8> (c, b, bb)
        t = Transpose <perm=[0, 2, 3, 1]> (e)
        y = MatMul (t, d)""",
        {"a": (8, 3, 3, 3), "b": (8, 1, 3, 3), "bb": (8,), "d": (8, 5)},
        (2, 3, 8, 8),
        "a:0 b:0 bb:0 d:0",
    ),
    "enlarged": (
        f"""c = Conv <{CONV}> (x, a)
        t = ConvTranspose <strides=[2, 2]> (c, b, bb)
        r = Clip (t, low, high)
        y = Conv <{CONV}> (r, w)""",
        {"a": (8, 3, 3, 3), "b": (8, 8, 2, 2), "bb": (8,), "w": (5, 8, 3, 3), "low": (), "high": ()},
        (2, 3, 8, 8),
        "b:1 bb:0 w:1",
    ),
    "feed-forward with a residual stream": (
        """n = LayerNormalization <axis=-1> (x, s, t)
        h = MatMul (n, a)
        b = Add (h, ab)
        g = Erf (b)
        o = MatMul (g, d)
        y = Add (x, o)""",
        {"s": (6,), "t": (6,), "a": (6, 16), "ab": (16,), "d": (16, 6)},
        (2, 7, 6),
        "a:1 ab:0 d:0",
    ),
}


def graph(name: str, path: Path) -> tuple[Path, dict[str, Any]]:
    """Write a graph of the table with random weights, and return it with samples."""
    nodes, shapes, given, _ = GRAPHS[name]
    rng = np.random.default_rng(0)
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
    g (float[{", ".join(["N", *map(str, given[1:])])}] x) => (float[N] y) {{ {nodes} }}"""
    model = onnx.parser.parse_model(text)
    for key, shape in shapes.items():
        array = np.asarray(rng.uniform(0.5, 1.5, shape) if key in ("v", "high") else rng.normal(size=shape))
        model.graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), key))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    model = onnx.shape_inference.infer_shapes(model)
    onnx.save(model, path)
    return path, {"x": rng.normal(size=(64, *given[1:])).astype(np.float32)}


def told(found: Channels) -> str:
    """Name the constants and axes of each group."""
    return " | ".join(" ".join(f"{name}:{axis}" for name, axis in sorted(g.places)) for g in found.groups)


def answer(path: Path, samples: dict[str, Any]) -> Any:
    return next(iter(RUNTIMES["onnxruntime"].open(path, "onnx").run(samples).values()))


@pytest.mark.parametrize("name", GRAPHS)
def test_what_goes_together(name: str, tmp_path: Path) -> None:
    path, samples = graph(name, tmp_path / "m.onnx")
    assert told(channels(files.load(path), samples)) == GRAPHS[name][3]


@pytest.mark.parametrize("moved", [False, True], ids=["initializers", "constants"])
@pytest.mark.parametrize("name", GRAPHS)
def test_cutting_channels_that_nobody_reads_changes_nothing(name: str, moved: bool, tmp_path: Path) -> None:
    path, samples = graph(name, tmp_path / "m.onnx")
    model = files.load(in_constants(path, tmp_path / "moved.onnx") if moved else path)
    found = channels(model, samples)
    held = {weight.name: weight for weight in weights(model)}
    for group in found.groups:
        for reader in group.readers:
            axis = next(axis for constant, axis in found.trace.read if constant == reader)
            array = held[reader].array
            places = group.places[reader, axis][1::2].reshape(-1)
            array[(slice(None),) * axis + (places,)] = 0
            held[reader].put(array)
    onnx.save(model, tmp_path / "silent.onnx")
    cut(model, found, [unit for group in found.groups for unit in group.units[1::2]])
    files.write(model, tmp_path / "cut.onnx")
    silent, after = (answer(tmp_path / f"{one}.onnx", samples) for one in ("silent", "cut"))
    assert np.allclose(silent, after, rtol=1e-5, atol=1e-5 * np.abs(silent).max())
    assert (tmp_path / "cut.onnx").stat().st_size < 0.8 * path.stat().st_size


def test_weights_that_are_listed_as_inputs_are_cut(tmp_path: Path) -> None:
    path, samples = graph("residual", tmp_path / "m.onnx")
    model = files.load(path)
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, 1, list(tensor.dims)))
    onnx.save(model, path)
    out = apply("prune_channels", path, tmp_path / "out.onnx", samples, share=0.5)
    assert arrays(out)["b"].shape == (4, 4, 3, 3)


@pytest.mark.parametrize("name", GRAPHS)
def test_channels_without_weights_cost_nothing(name: str, tmp_path: Path) -> None:
    path, samples = graph(name, tmp_path / "m.onnx")
    model = files.load(path)
    found = channels(model, samples)
    held = {weight.name: weight for weight in weights(model)}
    for group in found.groups:
        for (constant, axis), places in group.places.items():
            array = held[constant].array
            array[(slice(None),) * axis + (places[1::2].reshape(-1),)] = 0
            held[constant].put(array)
    onnx.save(model, tmp_path / "sparse.onnx")
    out = apply("prune_channels", tmp_path / "sparse.onnx", tmp_path / "out.onnx", samples, share=0.5, spread="even")
    before, after = answer(tmp_path / "sparse.onnx", samples), answer(out, samples)
    assert np.allclose(before, after, rtol=1e-5, atol=1e-5 * np.abs(before).max())


def test_heads_of_attention_are_cut_whole(tmp_path: Path) -> None:
    model = sample("spam_transformer")
    samples = {"x": model.calibration["x"][:48]}
    out = apply("prune_channels", model.source, tmp_path / "out.onnx", samples, share=0.5, spread="even")
    shapes = sorted(array.shape for name, array in arrays(out).items() if array.ndim == 2 and array.dtype == np.float32)
    assert shapes.count((64, 96)) == shapes.count((64, 32)) == 2
    assert (64, 192) not in shapes
    assert model.right(out) > model.right(model.source) - 20


@pytest.mark.slow
def test_the_sample_gets_smaller_and_faster_and_stays_right(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    out = apply("prune_channels", model.source, tmp_path / "out.onnx", model.calibration, share=0.3, spread="even")
    assert model.source.stat().st_size > 2 * out.stat().st_size
    assert model.right(out) >= model.right(model.source) - 15
    runtime, inputs = runtime_for("onnx"), {"x": model.calibration["x"][:1]}
    found = race(runtime.opener(model.source, "onnx", {}), runtime.opener(out, "onnx", {}), inputs, 1, 0, seconds=3)
    assert found.low > 1.3


def test_a_weight_that_is_kept_keeps_its_channels(tmp_path: Path) -> None:
    path, samples = graph("normalised, pooled, flattened", tmp_path / "m.onnx")
    with pytest.raises(Refused) as caught:
        apply("prune_channels", path, tmp_path / "out.onnx", samples, keep="d")
    assert caught.value.next_step
    model = sample("fashion_cnn")
    few = {"x": model.calibration["x"][:64]}
    out = apply("prune_channels", model.source, tmp_path / "out.onnx", few, spread="even", keep="stages.4.weight")
    shapes = {tensor.shape for tensor in arrays(out).values()}
    assert {(24, 1, 3, 3), (48, 24, 3, 3)} <= shapes
    assert (96, 48, 3, 3) not in shapes


def test_an_operator_without_a_rule_is_named(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("LRN", ["c"], ["l"], size=3),
        helper.make_node("Conv", ["l", "b"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    rng = np.random.default_rng(0)
    held = {"a": rng.normal(size=(8, 3, 3, 3)), "b": rng.normal(size=(4, 8, 3, 3))}
    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in held.items()]
    whole = helper.make_graph(nodes, "g", [value("x", 1, ["N", 3, 8, 8])], [value("y", 1, ["N", 4, 6, 6])], tensors)
    onnx.save(helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    with pytest.raises(Refused, match="LRN") as caught:
        apply("prune_channels", tmp_path / "m.onnx", tmp_path / "out.onnx", {"x": np.ones((4, 3, 8, 8), np.float32)})
    assert caught.value.next_step


def test_refusals_name_what_is_missing(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    few = {"x": model.calibration["x"][:32]}
    narrow = apply("static_int8", model.source, tmp_path / "int8.onnx", few)
    for source, samples, options, reason in (
        (model.source, {}, {}, "samples"),
        (narrow, few, {}, "already quantized"),
        (tiny(tmp_path / "tiny.onnx"), {"x": np.ones((4, 2), np.float32)}, {}, "can be removed"),
        (model.source, few, {"share": 0.05, "spread": "even"}, "half a step"),
    ):
        with pytest.raises(Refused, match=reason) as caught:
            apply("prune_channels", source, tmp_path / "out.onnx", samples, **options)
        assert caught.value.next_step
    assert TECHNIQUE.applies(FORMATS["onnx"].inspect(sample("segment").source))


def test_numbers_that_stay_suit_processors() -> None:
    assert budget.counts(96) == [96, 80, 64, 48, 32, 16]
    assert budget.counts(24) == [24, 16, 8]
    assert budget.counts(4) == [4, 3, 2, 1]
    assert len(budget.tried(4096)) == budget.LEVELS
