"""What an owner wrote into a file travels with it: entries, documentation, origin; what cannot is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.torch

from core.converters import CONVERTERS
from core.domain.artifact import TensorSpec
from core.domain.format import Summary
from core.domain.technique import Lesson
from core.formats import FORMATS
from core.techniques import TECHNIQUES
from core.verbs.losses import losses
from tests.converters import small
from tests.converters.small import Way

ENTRIES = {
    "character": "".join(map(chr, range(0x4E00, 0x4E00 + 30_000))),
    'größe "x" <tag>': "é\n<&>\t--> ]]>",
    "empty": "",
}
TARGETS = ("onnx_to_onnx", "onnx_to_ort", "onnx_to_openvino", "onnx_to_torch_export", "onnx_to_torchscript")


def network(path: Path) -> Path:
    """A layer of 256 by 128 with entries, documentation of model, graph and ends, and a stack trace on its node."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17], producer_name: "owner", producer_version: "3.1", domain: "org.own", model_version: 7, doc_string: "What it is for">
        layer (float[N, 256] pixels) => (float[N, 128] chances) { chances = MatMul(pixels, w) }"""
    )
    weight = np.random.default_rng(0).normal(size=(256, 128)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    for key, value in ENTRIES.items():
        model.metadata_props.add(key=key, value=value)
    model.metadata_props.add(key="pkg.torch.export.note", value="of the exporter's own")
    model.graph.doc_string, model.graph.input[0].doc_string = "one layer", "from 0 to 1"
    model.graph.node[0].doc_string = 'File "/home/owner/train.py", line 3'
    onnx.save(model, path)
    return path


def shown(path: Path, format: str) -> dict[str, str]:
    """Return what a summary shows of the entries."""
    entries = FORMATS[format].inspect(path).notes["metadata"]
    assert isinstance(entries, dict)
    return {key: str(value) for key, value in entries.items() if not key.startswith("pkg.")}


@pytest.mark.parametrize("converter", TARGETS)
def test_entries_travel(converter: str, tmp_path: Path) -> None:
    source = network(tmp_path / "m.onnx")
    made = Way(source, converter, {}).convert(tmp_path)
    assert not [risk.what for risk in FORMATS[CONVERTERS[converter].target].audit(made) if risk.level == "refuse"]
    found = shown(made, CONVERTERS[converter].target)
    assert found == shown(source, "onnx")
    assert found["doc_string"] == "What it is for"
    before, after = FORMATS["onnx"].inspect(source), FORMATS[CONVERTERS[converter].target].inspect(made)
    words = losses(before, source.stat().st_size, after, made.stat().st_size)
    assert not [one for one in words if "other names" not in one]


def test_another_opset_keeps_all_that_the_owner_wrote_and_no_trace(tmp_path: Path) -> None:
    made = onnx.load(Way(network(tmp_path / "m.onnx"), "onnx_to_onnx", {"opset": 20}).convert(tmp_path))
    assert {entry.key: entry.value for entry in made.metadata_props} == ENTRIES
    assert (made.producer_name, made.producer_version, made.domain, made.model_version) == (
        "owner",
        "3.1",
        "org.own",
        7,
    )
    assert (made.doc_string, made.graph.doc_string) == ("What it is for", "one layer")
    assert made.graph.input[0].doc_string == "from 0 to 1"
    assert b"train.py" not in made.SerializeToString()


@pytest.mark.parametrize("way", ["torch_export", "torchscript"])
def test_entries_come_back_from_torch(way: str, tmp_path: Path) -> None:
    middle = Way(network(tmp_path / "m.onnx"), f"onnx_to_{way}", {}).convert(tmp_path)
    options = {"shapes": "256"} if way == "torchscript" else {}
    made = onnx.load(Way(middle, f"{way}_to_onnx", options).convert(tmp_path))
    assert {entry.key: entry.value for entry in made.metadata_props} == ENTRIES
    assert made.doc_string == "What it is for"


@pytest.mark.parametrize("technique", ["weights_nearest", "float16"])
def test_entries_stay_in_a_smaller_file(technique: str, tmp_path: Path) -> None:
    chosen = TECHNIQUES[technique]
    source = network(tmp_path / "m.onnx")
    chosen.apply(source, tmp_path / "out.onnx", chosen.Options(), Lesson(source, {}))
    assert {entry.key: entry.value for entry in onnx.load(tmp_path / "out.onnx").metadata_props} == ENTRIES


def test_entries_go_on_from_torch_to_openvino(tmp_path: Path) -> None:
    source = network(tmp_path / "m.onnx")
    middle = Way(source, "onnx_to_torchscript", {}).convert(tmp_path)
    made = Way(middle, "torchscript_to_openvino", {"shapes": "256"}).convert(tmp_path)
    assert shown(made, "openvino") == shown(source, "onnx")


def test_entries_that_xml_cannot_hold_are_no_damage(tmp_path: Path) -> None:
    model = onnx.load(network(tmp_path / "m.onnx"))
    model.metadata_props.add(key="bad\x02key", value="v\x03<!-- x --> ]]>")
    onnx.save(model, tmp_path / "m.onnx")
    made = Way(tmp_path / "m.onnx", "onnx_to_openvino", {}).convert(tmp_path)
    assert not FORMATS["openvino"].audit(made)
    assert shown(made, "openvino")["bad key"] == "v <!-- x --> ]]>"


def test_entries_of_safetensors_go_with_the_program(tmp_path: Path) -> None:
    small.save_weights(tmp_path)
    state = safetensors.torch.load_file(tmp_path / "weights.safetensors")
    owned = {"epoch": "12", "licence": "see https://example.org"}
    safetensors.torch.save_file(state, tmp_path / "weights.safetensors", {"format": "pt", **owned})
    made = Way(tmp_path / "weights.safetensors", "safetensors_to_torch_export", {"shapes": "6"}).convert(tmp_path)
    assert shown(made, "torch_export") == owned
    words = losses(
        FORMATS["safetensors"].inspect(tmp_path / "weights.safetensors"), 1, FORMATS["torch_export"].inspect(made), 1
    )
    assert words == ()


def test_weights_of_few_bits_stay_so_in_ort(tmp_path: Path) -> None:
    """Constants that the graph widens are not stored wide."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        table (int64[N] ids) => (float[N, 64] rows)
        <float s = {0.02}>
        { wide = Cast<to = 1>(w)  scaled = Mul(wide, s)  rows = Gather(scaled, ids) }"""
    )
    weight = np.random.default_rng(0).integers(-127, 128, (2000, 64)).astype(np.int8)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    onnx.save(model, tmp_path / "m.onnx")
    made = Way(tmp_path / "m.onnx", "onnx_to_ort", {}).convert(tmp_path)
    assert made.stat().st_size < 1.1 * (tmp_path / "m.onnx").stat().st_size


ENDS = (TensorSpec("pixels", "float32", ("batch", 4)),), (TensorSpec("chances", "float32", ("batch", 2)),)


def test_what_is_lost_is_named() -> None:
    from core.domain.artifact import Signature

    before = Summary(
        "onnx",
        Signature(*ENDS),
        22_500_000,
        precision="int8",
        sparsity=0.7,
        notes={"metadata": {"names": "a", "format": "x"}},
    )
    same = replace(before, notes={"metadata": {"names": "a"}})
    assert losses(before, 23_000_000, same, 23_500_000) == ()
    other = Signature((replace(ENDS[0][0], name="in0"),), ENDS[1])
    after = replace(before, format="ort", precision=None, sparsity=0.0, signature=other, notes={})
    words = " ".join(losses(before, 22_900_000, after, 90_400_000))
    for part in (
        "names.",
        "pixels is in0",
        "quantization is lost",
        "3.9 times the bytes",
        "70% of the weights were zero",
    ):
        assert part in words
    assert "format," not in words
    assert "outputs" not in words
    assert "quantization" in " ".join(losses(before, 5_000, replace(same, precision="float32"), 6_000))
    assert losses(before, 5_000, replace(same, precision=None, sparsity=None), 11_000) == ()
