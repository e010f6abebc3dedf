"""The shelf of converters: every entry gives the same answers as its source on the reference runtimes."""

import os
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np
import onnx
import pytest
import torch

from core.converters import CONVERTERS, route, targets
from core.domain.errors import Refused
from core.domain.report import Verdict
from core.domain.transform import option_fields, parse_options
from core.formats import FORMATS
from core.onnx import files as onnx_files
from core.proof.datasets import read_dataset
from core.runtimes import RUNTIMES, cannot_run, runtime_for
from tests.converters import small
from tests.converters.small import Way
from tests.formats import made_keras, made_litert, made_trees

FOLDER = Path(__file__).parent.parent.parent / "core"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small models in every source format."""
    folder = tmp_path_factory.mktemp("models")
    for name in small.EXAMPLES:
        small.save_program(name, folder / f"{name}.pt2")
        small.save_script(name, folder / f"{name}.pt")
        Way(folder / f"{name}.pt2", "torch_export_to_onnx", {}).convert(folder).rename(folder / f"{name}.onnx")
    small.save_weights(folder)
    for name in small.pipelines():
        small.save_estimator(name, folder / f"{name}.skops")
    small.save_estimator("text columns", folder / "text columns.joblib")
    for name, write in made_trees.MODELS.items():
        write(folder / name)
    for name, step in (("text columns.skops", "skops_to_pmml"), ("zeros.txt", "lightgbm_to_pmml")):
        Way(folder / name, step, {}).convert(folder).rename((folder / name).with_suffix(".pmml"))
    for name in ("cnn", "words", "series", "two sides"):
        made_keras.save(name, folder / f"{name}.keras")
    made_keras.save("cnn", folder / "cnn.h5")
    made_keras.old("words", folder / "old words.h5")
    made_keras.old("series", folder / "old series.h5")
    for path in (FOLDER.parent / "tests" / "formats" / "data").glob("saved_model_*.zip"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "dense.tflite").write_bytes(made_litert.dense())
    (folder / "quantized.tflite").write_bytes(made_litert.quantized())
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
    ("LightGBM.skops", "skops_to_onnx", {}),
    ("LightGBM behind columns.skops", "skops_to_onnx", {}),
    ("text columns.joblib", "pickle_to_skops", {}),
    ("boosted.json", "xgboost_to_onnx", {}),
    ("categories.ubj", "xgboost_to_onnx", {"opset": 15}),
    ("dart.ubj", "xgboost_to_onnx", {}),
    ("boosted.txt", "lightgbm_to_onnx", {}),
    ("boosted.txt", "lightgbm_to_onnx", {"precision": "float32"}),
    ("categories.txt", "lightgbm_to_onnx", {}),
    ("zeros.txt", "lightgbm_to_onnx", {}),
    ("boosted.cbm", "catboost_to_onnx", {}),
    ("lossguide.cbm", "catboost_to_onnx", {}),
    ("text columns.skops", "skops_to_pmml", {}),
    ("forest behind a scaler.skops", "skops_to_pmml", {}),
    ("boosted trees behind columns.skops", "skops_to_pmml", {}),
    ("categories.ubj", "xgboost_to_pmml", {}),
    ("categories.txt", "lightgbm_to_pmml", {}),
    ("zeros.txt", "lightgbm_to_pmml", {}),
    ("lossguide.cbm", "catboost_to_pmml", {}),
    ("text columns.pmml", "pmml_to_python_source", {}),
    ("zeros.pmml", "pmml_to_python_source", {}),
    ("text columns.pmml", "pmml_to_onnx", {}),
    ("zeros.pmml", "pmml_to_onnx", {}),
    ("pictures.onnx", "onnx_to_onnx", {"opset": 17}),
    ("words.onnx", "onnx_to_onnx", {"opset": 21, "ir": 13}),
    ("words.onnx", "onnx_to_onnx", {"opset": 26}),
    ("words.onnx", "onnx_to_ort", {}),
    ("pictures.onnx", "onnx_to_ort", {"level": "extended"}),
    ("words.onnx", "onnx_to_web_package", {"title": "Words"}),
    ("external.zip", "onnx_external_to_onnx", {}),
    ("pictures.onnx", "onnx_to_openvino", {}),
    ("words.onnx", "onnx_to_openvino", {}),
    ("weights.pt", "torch_checkpoint_to_torch_export", {"shapes": "6"}),
    ("weights.safetensors", "safetensors_to_torch_export", {"shapes": "6"}),
    ("pictures.onnx", "onnx_to_torch_export", {}),
    ("words.onnx", "onnx_to_torch_export", {"shapes": "int64:12"}),
    ("pictures.onnx", "onnx_to_torchscript", {}),
    ("words.onnx", "onnx_to_torchscript", {}),
    ("pictures.pt", "torchscript_to_openvino", {}),
    ("words.pt", "torchscript_to_openvino", {"shapes": "int64:12"}),
    ("cnn.keras", "keras_to_onnx", {}),
    ("words.keras", "keras_to_onnx", {"opset": 18}),
    ("series.keras", "keras_to_onnx", {}),
    ("two sides.keras", "keras_to_onnx", {}),
    ("cnn.h5", "keras_h5_to_onnx", {}),
    ("old words.h5", "keras_h5_to_onnx", {}),
    ("words.keras", "keras_to_torch_export", {}),
    ("two sides.keras", "keras_to_torch_export", {}),
    ("old series.h5", "keras_h5_to_torch_export", {}),
    ("saved_model_softmax.zip", "saved_model_to_openvino", {}),
    ("saved_model_keras2.zip", "saved_model_to_openvino", {}),
    ("dense.tflite", "litert_to_openvino", {}),
    ("quantized.tflite", "litert_to_openvino", {}),
]


CASES = [
    pytest.param(*way, id=f"{way[1]}-{place}", marks=[pytest.mark.integers] if "quantized" in way[0] else [])
    for place, way in enumerate(WAYS)
]


@pytest.mark.parametrize(("file", "converter", "options"), CASES)
def test_output_equals_its_source(
    models: Path, tmp_path: Path, file: str, converter: str, options: dict[str, object]
) -> None:
    way = Way(models / file, converter, options)
    parity = way.prove(tmp_path)
    secondhand = runtime_for(CONVERTERS[converter].source).secondhand
    assert parity.verdict is (Verdict.NOT_PROVEN if secondhand else Verdict.PASS), parity.reason
    assert all(check.verdict is Verdict.PASS for check in parity.checks)
    assert {"random", "batch 1", "batch 3", "edge"} <= {check.name for check in parity.checks}
    if CONVERTERS[converter].target == "onnx":
        model = onnx.load(tmp_path / "out.onnx")
        assert onnx_files.opset(model) == options.get("opset", onnx_files.opset(model))
        assert model.ir_version == options.get("ir", model.ir_version)
        assert onnx_files.opset(model) <= onnx_files.MAX_OPSET
        assert onnx_files.free_batch(model)
        assert os.fsencode(str(FOLDER.parent)) not in (tmp_path / "out.onnx").read_bytes()


def test_every_converter_has_a_way() -> None:
    here = {c.id for c in CONVERTERS if c.group is None and c.unavailable() is None and cannot_run(c.target) is None}
    assert here <= {way[1] for way in WAYS} <= {converter.id for converter in CONVERTERS}


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
    assert targets("torch_export")[0] == "onnx"
    assert {"ort", "ncnn", "litert", "executorch", "coreml"} <= set(targets("torch_export"))


@pytest.mark.parametrize(("source", "target"), [("safetensors", "skops"), ("onnx", "skops"), ("ort", "onnx")])
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
        assert parity.top1_flips is not None
        assert parity.top1_flips.k == 0


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


class Biased(torch.nn.Module):
    """Attention with a bias for each head, as image transformers have it."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.head, self.bias = (
            torch.nn.Linear(16, 48),
            torch.nn.Linear(16, 3),
            torch.nn.Parameter(torch.ones(2, 5, 5)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [batch, 5, 16] to [batch, 5, 3]."""
        q, k, v = self.qkv(x).reshape(x.shape[0], 5, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        y = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=self.bias.expand(x.shape[0], -1, -1, -1)
        )
        return self.head(y.transpose(1, 2).reshape(x.shape[0], 5, 16))


def test_attention_with_a_bias_keeps_its_free_batch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    free = {"x": {0: torch.export.Dim("batch")}}
    torch.export.save(
        torch.export.export(Biased().eval(), (torch.randn(2, 5, 16),), dynamic_shapes=free), tmp_path / "biased.pt2"
    )
    parity = Way(tmp_path / "biased.pt2", "torch_export_to_onnx", {}).prove(tmp_path)
    assert parity.verdict is Verdict.PASS, parity.reason
    assert onnx_files.free_batch(onnx.load(tmp_path / "out.onnx"))


class Odd(torch.nn.Module):
    """Four operators without an ONNX form, one of them twice, behind a layer that has one."""

    def __init__(self) -> None:
        super().__init__()
        self.line = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [batch, 4] to [batch, 4]."""
        x = self.line(x)
        y = torch.special.bessel_j0(x) + torch.special.bessel_j1(x) + torch.igamma(x.abs() + 1, x.abs() + 1)
        return torch.special.bessel_j0(y) + torch.linalg.matrix_exp(y[:, None, :] * y[:, :, None]).sum(1)


@pytest.mark.parametrize("converter", ["torch_export_to_onnx", "torchscript_to_onnx"])
def test_a_refusal_names_all_operators_at_once_with_their_places(converter: str, tmp_path: Path) -> None:
    module, example = Odd().eval(), torch.zeros(2, 4)
    if converter == "torchscript_to_onnx":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.trace(module, example).save(str(tmp_path / "odd"))
    else:
        free = {"x": {0: torch.export.Dim("batch")}}
        torch.export.save(torch.export.export(module, (example,), dynamic_shapes=free), tmp_path / "odd.pt2")
        (tmp_path / "odd.pt2").rename(tmp_path / "odd")
    with pytest.raises(Refused) as caught:
        Way(tmp_path / "odd", converter, {"shapes": "4"} if "script" in converter else {}).convert(tmp_path)
    for operator in ("bessel_j0", "bessel_j1", "igamma", "linalg_matrix_exp"):
        assert operator in caught.value.message
    assert "linear" not in caught.value.message
    assert caught.value.message.count(", node ") == 5
    assert "Replace these layers" in caught.value.next_step or "replace these layers" in caught.value.next_step


def test_an_opset_that_cannot_be_reached_names_the_nodes(models: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        Way(models / "words.onnx", "onnx_to_onnx", {"opset": 7}).convert(tmp_path)
    assert "LayerNormalization, not in 7 ('node_layer_norm', node " in caught.value.message
    assert "Gelu, not in 7" in caught.value.message


def test_an_operator_that_lost_its_batch_axis_is_refused(tmp_path: Path) -> None:
    model = onnx.parser.parse_model("""
        <ir_version: 3, opset_import: ["" : 8]>
        summed (float[1, 2] first, float[1, 3, 2] x) => (float[1, 2] y, float[1, 3, 2] z)
        { y, z = Scan ("", first, x) <num_scan_inputs = 1, body = step (float[2] a, float[2] b) => (float[2] c, float[2] d)
            { c = Add(a, b)  d = Identity(c) }> }
    """)
    onnx.save(model, tmp_path / "scan.onnx")
    with pytest.raises(Refused, match="Scan 8 to"):
        Way(tmp_path / "scan.onnx", "onnx_to_onnx", {}).convert(tmp_path)


def test_both_ways_to_another_opset_work(models: Path) -> None:
    from core.converters import onnx_to_onnx

    model = onnx.load(models / "words.onnx")
    for way in (onnx_to_onnx._by_onnx, onnx_to_onnx._by_onnxscript):
        assert onnx_files.opset(way(model, 22)) == 22


def test_what_is_no_estimator_is_refused(tmp_path: Path) -> None:
    import skops.io

    skops.io.dump({"weights": [1.0]}, tmp_path / "dict.skops")
    with pytest.raises(Refused, match="dict"):
        Way(tmp_path / "dict.skops", "skops_to_onnx", {}).convert(tmp_path)


def test_boosters_that_skops_cannot_lead_to_onnx_are_refused_with_the_way_that_can(tmp_path: Path) -> None:
    """XGBoost's own file has a form for some of these, and a clear refusal for the others."""
    xgboost, skops = pytest.importorskip("xgboost"), pytest.importorskip("skops.io")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).astype(np.float32)
    two, few = x[:, :2], {"n_estimators": 3, "max_depth": 2, "n_jobs": 1}
    models = {
        "2 targets": xgboost.XGBRegressor(**few).fit(x, two),
        "2 targets on": xgboost.XGBRegressor(multi_strategy="multi_output_tree", tree_method="hist", **few).fit(x, two),
        "the booster gblinear": xgboost.XGBRegressor(booster="gblinear", n_estimators=3, n_jobs=1).fit(x, x[:, 0]),
        "binary:logistic of a regressor": xgboost.XGBRegressor(objective="binary:logistic", **few).fit(x, x[:, 0] > 0),
    }
    for words, model in models.items():
        skops.dump(model, tmp_path / "m.skops")
        assert runtime_for("skops").open(tmp_path / "m.skops", "skops")
        with pytest.raises(Refused, match=words) as caught:
            Way(tmp_path / "m.skops", "skops_to_onnx", {}).convert(tmp_path)
        assert "save_model" in caught.value.next_step


def test_a_classifier_of_several_answers_is_refused_in_words(tmp_path: Path) -> None:
    """Two answers with two and three classes are no table of numbers."""
    from sklearn.tree import DecisionTreeClassifier
    from skops.io import dump

    x = np.random.default_rng(0).normal(size=(60, 3))
    answers = np.stack([x[:, 0] > 0, np.digitize(x[:, 1], [-0.5, 0.5])], axis=1).astype(int)
    dump(DecisionTreeClassifier(max_depth=3).fit(x, answers), tmp_path / "m.skops")
    with pytest.raises(Refused, match="gives 2 answers at once, with 2 and 3 classes"):
        runtime_for("skops").open(tmp_path / "m.skops", "skops")


def test_words_counted_by_numpy_fit_into_an_archive(tmp_path: Path) -> None:
    """As older releases of scikit-learn left the places of words, and as skops writes each into a file of its own."""
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer().fit([f"word{place}" for place in range(6000)])
    counter.vocabulary_ = {word: np.int64(place) for word, place in counter.vocabulary_.items()}
    joblib.dump(counter, tmp_path / "m.joblib")
    made = Way(tmp_path / "m.joblib", "pickle_to_skops", {}).convert(tmp_path)
    assert not [risk.what for risk in FORMATS["skops"].audit(made) if risk.level == "refuse"]
