"""The shelf of runtimes: what a session says of its model is what the model takes and gives."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from core.domain.errors import Refused
from core.runtimes import RUNTIMES, runtime_for
from tests.converters import small


def test_every_format_has_one_runtime_and_at_most_a_stand_in_behind_it() -> None:
    formats = [name for runtime in RUNTIMES if not runtime.secondhand for name in runtime.formats]
    assert len(formats) == len(set(formats))
    assert {name for runtime in RUNTIMES if runtime.secondhand for name in runtime.formats} <= set(formats)
    assert runtime_for("ort").id == "onnxruntime"
    with pytest.raises(Refused, match="gguf"):
        runtime_for("gguf")


def test_program_tells_shape_and_ids(tmp_path: Path) -> None:
    session = runtime_for("torch_export").open(small.save_program("words", tmp_path / "m.pt2"), "torch_export")
    (spec,) = session.signature.inputs
    assert (spec.name, spec.dtype, spec.shape) == ("ids", "int64", ("batch", 12))
    assert session.domains["ids"].bound == 50
    assert next(iter(session.run({"ids": np.zeros((3, 12), np.int64)}).values())).shape == (3, 3)


def test_script_betrays_its_shape_only_where_one_fits(tmp_path: Path) -> None:
    runtime = runtime_for("torchscript")
    pictures = runtime.open(small.save_script("pictures", tmp_path / "p.pt"), "torchscript")
    words = runtime.open(small.save_script("words", tmp_path / "w.pt"), "torchscript")
    assert pictures.signature.inputs[0].shape == ("batch", 1, 28, 28)
    assert words.signature.inputs[0].shape is None
    assert words.domains["ids"].bound == 50


def test_ids_are_followed_through_the_graph(tmp_path: Path) -> None:
    graph = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        words (int32[N, 4] ids, float[N, 2] mask) => (float[N, 4, 2] y)
        <float[5, 2] table = {0,1,2,3,4,5,6,7,8,9}>
        { wide = Cast<to = 7>(ids)  rows = Gather(table, wide)  y = Identity(rows) }
    """)
    onnx.save(graph, tmp_path / "m.onnx")
    session = runtime_for("onnx").open(tmp_path / "m.onnx", "onnx")
    assert session.domains["ids"].bound == 5
    assert session.domains["mask"].kind == "normal"


def test_weights_of_four_bits_are_multiplied_by_floats_where_a_file_is_asked_exactly(tmp_path: Path) -> None:
    """By default the engine fuses such a product into one that rounds its input to eight bits, which the file does not say."""
    rng = np.random.default_rng(0)
    quarters, scales = rng.integers(-8, 8, (32, 3)), rng.random((2, 3)).astype(np.float32)
    bytes_ = bytes(int((a & 15) | ((b & 15) << 4)) for a, b in quarters.reshape(-1, 2))
    tensors = [
        onnx.helper.make_tensor("w", onnx.TensorProto.INT4, (32, 3), bytes_, raw=True),
        onnx.numpy_helper.from_array(scales, "s"),
    ]
    nodes = [
        onnx.helper.make_node("DequantizeLinear", ["w", "s"], ["f"], axis=0, block_size=16),
        onnx.helper.make_node("MatMul", ["x", "f"], ["y"]),
    ]
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", n]) for name, n in (("x", 32), ("y", 3))
    ]
    graph = onnx.helper.make_graph(nodes, "g", values[:1], values[1:], tensors)
    opsets = [onnx.helper.make_opsetid("", 21)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "m.onnx")
    x = rng.standard_normal((8, 32)).astype(np.float32)
    answer = runtime_for("onnx").open_exact(tmp_path / "m.onnx", "onnx", {}).run({"x": x})["y"]
    right = x.astype(np.float64) @ (quarters * np.repeat(scales.astype(np.float64), 16, axis=0))
    assert np.abs(answer - right).max() < 1e-4


def test_text_columns_become_inputs_of_their_own(tmp_path: Path) -> None:
    path = small.save_estimator("text columns", tmp_path / "m.skops")
    session = runtime_for("skops").open(path, "skops")
    assert {s.name: s.dtype for s in session.signature.inputs} == {
        "length": "float32",
        "mass": "float32",
        "count": "float32",
        "kind": "str",
        "place": "str",
    }
    assert session.domains["kind"].values == ("ant", "bee", "fly")
    assert session.domains["mass"].mean == pytest.approx(200, abs=5)
    rows = small.table(4)
    answer = session.run({s.name: rows[[s.name]].to_numpy().astype(s.dtype) for s in session.signature.inputs})
    assert list(answer) == ["label", "probabilities"]
    assert answer["probabilities"].shape == (4, 3)


def test_trees_tell_their_thresholds(tmp_path: Path) -> None:
    session = runtime_for("skops").open(small.save_estimator("boosted trees", tmp_path / "m.skops"), "skops")
    assert session.signature.inputs[0].shape == ("batch", 3)
    assert 30 < session.thresholds[0][0] < 50  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "format",
    [
        "onnx",
        "ort",
        "torch_export",
        "torchscript",
        "skops",
        "pickle",
        "keras",
        "keras_h5",
        "saved_model",
        "xgboost",
        "lightgbm",
        "catboost",
        "openvino",
        "litert",
        "pmml",
        "python_source",
    ],
)
def test_a_broken_file_is_refused_in_a_sentence(tmp_path: Path, format: str) -> None:
    (tmp_path / "broken").write_bytes(b"nothing that anyone can load")
    with pytest.raises(Refused) as caught:
        runtime_for(format).open(tmp_path / "broken", format)
    assert caught.value.next_step


def test_a_locale_that_this_machine_lacks_is_named(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        lower (string[N] x) => (string[N] y) { y = StringNormalizer<case_change_action = "LOWER", locale = "xx_XX.UTF-8">(x) }"""
    )
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(Refused, match=r"locale xx_XX\.UTF-8, which this machine does not have") as caught:
        runtime_for("onnx").open(tmp_path / "m.onnx", "onnx")
    assert "locale-gen xx_XX.UTF-8" in caught.value.next_step
