"""The shelf of converters: every entry gives the same answers as its source on the reference runtimes."""

import os
import zipfile
from pathlib import Path

import onnx
import pytest

from core import onnx_files
from core.converters import CONVERTERS, route, targets
from core.domain.errors import Refused
from core.domain.report import Verdict
from core.domain.transform import option_fields, parse_options
from core.proof.datasets import read_dataset
from core.runtimes import RUNTIMES, runtime_for
from tests.converters import small
from tests.converters.small import Way

FOLDER = Path(__file__).parent.parent.parent / "core"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small models in every source format."""
    folder = tmp_path_factory.mktemp("models")
    for name in small.EXAMPLES:
        small.save_program(name, folder / f"{name}.pt2")
        small.save_script(name, folder / f"{name}.pt")
        Way(folder / f"{name}.pt2", "torch_export_to_onnx", {}).convert(folder).rename(folder / f"{name}.onnx")
    for name in small.pipelines():
        small.save_estimator(name, folder / f"{name}.skops")
    small.save_estimator("text columns", folder / "text columns.joblib")
    external = onnx.load(folder / "pictures.onnx")
    onnx.save(external, folder / "part.onnx", save_as_external_data=True, location="part.data", size_threshold=1024)
    with zipfile.ZipFile(folder / "external.zip", "w") as archive:
        for name in ("part.onnx", "part.data"):
            archive.write(folder / name, name)
    return folder


WAYS = [
    ("pictures.pt2", "torch_export_to_onnx", {}),
    ("words.pt2", "torch_export_to_onnx", {"opset": 26}),
    ("pictures.pt", "torchscript_to_onnx", {}),
    ("pictures.pt", "torchscript_to_onnx", {"shapes": "1x28x28", "opset": 11}),
    ("text columns.skops", "skops_to_onnx", {}),
    ("forest behind a scaler.skops", "skops_to_onnx", {}),
    ("boosted trees.skops", "skops_to_onnx", {}),
    ("boosted trees behind columns.skops", "skops_to_onnx", {"opset": 17}),
    ("text columns.joblib", "pickle_to_skops", {}),
    ("pictures.onnx", "onnx_to_onnx", {"opset": 17}),
    ("words.onnx", "onnx_to_onnx", {"opset": 21, "ir": 13}),
    ("words.onnx", "onnx_to_onnx", {"opset": 26}),
    ("words.onnx", "onnx_to_ort", {}),
    ("pictures.onnx", "onnx_to_ort", {"level": "extended"}),
    ("external.zip", "onnx_external_to_onnx", {}),
]


@pytest.mark.parametrize(("file", "converter", "options"), WAYS, ids=[f"{w[1]}-{i}" for i, w in enumerate(WAYS)])
def test_output_equals_its_source(
    models: Path, tmp_path: Path, file: str, converter: str, options: dict[str, object]
) -> None:
    way = Way(models / file, converter, options)
    parity = way.prove(tmp_path)
    assert parity.verdict is Verdict.PASS, parity.reason
    assert {"random", "batch 1", "batch 3", "edge"} <= {check.name for check in parity.checks}
    if CONVERTERS[converter].target == "onnx":
        model = onnx.load(tmp_path / "out.onnx")
        assert onnx_files.opset(model) == options.get("opset", onnx_files.opset(model))
        assert model.ir_version == options.get("ir", model.ir_version)
        assert onnx_files.opset(model) <= onnx_files.MAX_OPSET
        assert onnx_files.free_batch(model)
        assert os.fsencode(str(FOLDER.parent)) not in (tmp_path / "out.onnx").read_bytes()


def test_every_converter_has_a_way() -> None:
    assert {way[1] for way in WAYS} == {converter.id for converter in CONVERTERS}


@pytest.mark.parametrize(("shelf", "folder"), [(CONVERTERS, "converters"), (RUNTIMES, "runtimes")])
def test_files_and_table_agree(shelf: object, folder: str) -> None:
    files = {path.stem for path in (FOLDER / folder).glob("*.py")} - {"__init__"}
    assert files == {entry.id for entry in shelf}  # type: ignore[attr-defined]


@pytest.mark.parametrize("converter", list(CONVERTERS), ids=lambda c: c.id)
def test_declarations_hold(converter: object) -> None:
    assert converter.title  # type: ignore[attr-defined]
    assert converter.sentence.endswith(".")  # type: ignore[attr-defined]
    assert converter.id == f"{converter.source}_to_{converter.target}"  # type: ignore[attr-defined]
    options = converter.Options  # type: ignore[attr-defined]
    defaults = {f.name: f.default for f in option_fields(options)}
    assert parse_options(options, {name: str(value) for name, value in defaults.items()}) == options()
    assert all(f.help for f in option_fields(options))


def test_routes_are_the_shortest() -> None:
    assert [c.id for c in route("pickle", "ort")] == ["pickle_to_skops", "skops_to_onnx", "onnx_to_ort"]
    assert [c.id for c in route("onnx", "onnx")] == ["onnx_to_onnx"]
    assert targets("torch_export") == ("onnx", "ort")


@pytest.mark.parametrize(("source", "target"), [("safetensors", "onnx"), ("onnx", "skops"), ("ort", "onnx")])
def test_no_route_is_said_in_words(source: str, target: str) -> None:
    with pytest.raises(Refused) as caught:
        route(source, target)
    assert source in caught.value.message
    assert caught.value.next_step


def test_samples_pass_with_their_data(sample_models: Path, tmp_path: Path) -> None:
    cases = [
        ("fashion_cnn/model.pt2", "torch_export_to_onnx", "fashion_cnn/test.npz", None),
        ("fashion_cnn/torchscript.pt", "torchscript_to_onnx", "fashion_cnn/test.npz", None),
        ("penguins/model.skops", "skops_to_onnx", "penguins/test.csv", "sex"),
        ("segment/model.skops", "skops_to_onnx", "segment/test.csv", None),
        ("spam_transformer/model.pt2", "torch_export_to_onnx", "spam_transformer/test.npz", None),
    ]
    for file, converter, data, label in cases:
        source = CONVERTERS[converter].source
        session = runtime_for(source).open(sample_models / file, source)
        way = Way(sample_models / file, converter, {}, read_dataset(sample_models / data, label, session.signature))
        parity = way.prove(tmp_path)
        assert parity.verdict is Verdict.PASS, (file, parity.reason)
        assert parity.flips is not None
        assert parity.flips.k == 0


@pytest.mark.parametrize(
    ("file", "converter", "options", "word"),
    [
        ("words.pt", "torchscript_to_onnx", {}, "shapes"),
        ("words.pt", "torchscript_to_onnx", {"shapes": "twelve"}, "ids"),
        ("pictures.pt", "torchscript_to_onnx", {"shapes": "3x28x28"}, "2x3x28x28"),
        ("words.onnx", "onnx_to_onnx", {"opset": 7}, "LayerNormalization"),
        ("words.onnx", "onnx_to_onnx", {"opset": 26, "ir": 8}, "IR version 8"),
    ],
)
def test_refusals_name_the_cause(
    models: Path, tmp_path: Path, file: str, converter: str, options: dict[str, object], word: str
) -> None:
    with pytest.raises(Refused) as caught:
        Way(models / file, converter, options).convert(tmp_path)
    assert word in caught.value.message
    assert caught.value.next_step
    assert "Traceback" not in caught.value.message


def test_what_is_no_estimator_is_refused(tmp_path: Path) -> None:
    import skops.io

    skops.io.dump({"weights": [1.0]}, tmp_path / "dict.skops")
    with pytest.raises(Refused, match="dict"):
        Way(tmp_path / "dict.skops", "skops_to_onnx", {}).convert(tmp_path)
