"""ONNX files of every age through the converters to torch and the real proof, or a refusal that names the place."""

import warnings
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from core.converters import CONVERTERS
from core.domain.errors import Refused
from core.domain.report import Parity, Verdict
from core.formats import recognise
from core.libraries.torch import torchscripts
from core.runtimes import runtime_for
from tests.converters import small
from tests.converters.small import Way
from tests.onnx_torch import graphs

PROGRAM, SCRIPT = "onnx_to_torch_export", "onnx_to_torchscript"


class Series(nn.Module):
    """Two LSTM layers, the second in both directions, and a linear layer on the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LSTM(5, 8, batch_first=True), nn.LSTM(8, 6, batch_first=True, bidirectional=True)
        self.head = nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, 7, 5] to [batch, 2]."""
        return self.head(self.second(self.first(x)[0])[0][:, -1])


def written(text: str, folder: Path) -> Path:
    """Write a graph given as text."""
    onnx.save(onnx.parser.parse_model(text), folder / "model.onnx")
    return folder / "model.onnx"


def legacy(module: nn.Module, example: Tensor, opset: int, path: Path) -> Path:
    """Write a module by the exporter of old, which knows old operator sets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        free = {"x": {0: "batch"}, "y": {0: "batch"}}
        names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": free}
        torch.onnx.export(module.eval(), (example,), str(path), dynamo=False, opset_version=opset, **names)
    return path


def proven(source: Path, converter: str, folder: Path) -> Parity:
    """Convert and compare; the file must pass its own audit, and name no file of this machine."""
    parity = Way(source, converter, {}).prove(folder)
    out = folder / ("out" + CONVERTERS[converter].suffix)
    format = recognise(out, out.name)
    assert format.id == CONVERTERS[converter].target
    assert not [risk for risk in format.audit(out) if risk.level in ("refuse", "consent")]
    with zipfile.ZipFile(out) as archive:
        assert not any(str(Path(__file__).parents[2]).encode() in archive.read(name) for name in archive.namelist())
    return parity


def passes(parity: Parity) -> None:
    """Demand a PASS over one, three and many samples, close to rounding."""
    assert parity.verdict is Verdict.PASS, parity.reason
    assert {"random", "batch 1", "batch 3", "edge"} <= {check.name for check in parity.checks}
    assert parity.max_abs is not None
    assert parity.max_abs < 1e-4


@pytest.mark.parametrize("converter", [PROGRAM, SCRIPT])
@pytest.mark.parametrize("name", ["SHAPES", "CONSTANTS", "OLD", "LOOP", "FREE_LENGTH", "FUNCTION", "NEW"])
def test_graphs_pass(name: str, converter: str, tmp_path: Path) -> None:
    passes(proven(written(getattr(graphs, name), tmp_path), converter, tmp_path))


@pytest.mark.parametrize(("opset", "converter"), [(11, PROGRAM), (17, SCRIPT)])
def test_series_passes(opset: int, converter: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = legacy(Series(), torch.zeros(2, 7, 5), opset, tmp_path / "series.onnx")
    passes(proven(source, converter, tmp_path))


@pytest.mark.parametrize("opset", [9, 11])
def test_pictures_of_old_operator_sets_pass(opset: int, tmp_path: Path) -> None:
    module, _, example = small.EXAMPLES["pictures"]
    torch.manual_seed(0)
    passes(proven(legacy(module(), example, opset, tmp_path / "model.onnx"), PROGRAM, tmp_path))


@pytest.mark.slow
def test_a_branch_on_data_stays_a_branch(tmp_path: Path) -> None:
    source = written(graphs.BRANCH, tmp_path)
    passes(proven(source, PROGRAM, tmp_path))
    with pytest.raises(Refused, match=r"If 'y'.*branch"):
        Way(source, SCRIPT, {}).convert(tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("BAKED", ["Reshape 'y'", "[2, 2, 2]"]),
        ("STRANGE", ["RandomNormalLike", "2 x", "first 'a'", "Normalizer of ai.onnx.ml", "first 'z'"]),
        ("SIZE_OF_DATA", ["Tile 'y'", "computed from the data"]),
    ],
)
def test_refusals_name_every_operator_and_its_place(name: str, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        Way(written(getattr(graphs, name), tmp_path), PROGRAM, {}).convert(tmp_path)
    assert all(word in caught.value.message for word in words), caught.value.message
    assert caught.value.next_step


def test_a_script_keeps_its_inputs_beside_it(tmp_path: Path) -> None:
    out = Way(written(graphs.NEW, tmp_path), SCRIPT, {}).convert(tmp_path)
    (spec,) = runtime_for("torchscript").open(out, "torchscript").signature.inputs
    assert (spec.name, spec.dtype, spec.shape) == ("ids", "int64", ("batch", 5))
    assert recognise(out, "m.pt").inspect(out).signature.inputs == (spec,)


@pytest.mark.parametrize(
    "lie", [b"[]", b'{"inputs": [{"name": "x", "dtype": "os.system", "shape": [1]}], "outputs": []}']
)
def test_a_signature_that_is_none_is_not_believed(lie: bytes, tmp_path: Path) -> None:
    out = Way(written(graphs.CONSTANTS, tmp_path), SCRIPT, {}).convert(tmp_path)
    with zipfile.ZipFile(out) as given, zipfile.ZipFile(tmp_path / "lie.pt", "w") as changed:
        for name in given.namelist():
            changed.writestr(name, lie if name.endswith("portolan_signature.json") else given.read(name))
    session = runtime_for("torchscript").open(tmp_path / "lie.pt", "torchscript")
    assert session.signature.inputs[0].dtype == "float32"


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32"])
@pytest.mark.parametrize("converter", [PROGRAM, SCRIPT])
def test_whole_numbers_of_each_width_go_in_as_they_are(dtype: str, converter: str, tmp_path: Path) -> None:
    """The shapes that a proof hands on name the type of each input, and every one that it writes can be read."""
    head = '<ir_version: 8, opset_import: ["" : 17]> pictures '
    body = (
        "("
        + dtype
        + "[N,3,4] img) => (float[N,3] y) { x = Cast<to = 1>(img) y = ReduceMean<axes = [2], keepdims = 0>(x) }"
    )
    source = written(head + body, tmp_path)
    shapes = torchscripts.shapes_text(runtime_for("onnx").open(source, "onnx").signature.inputs)
    assert shapes == f"{dtype}:3x4"
    assert torchscripts.parse_shapes(shapes, ("img",))[0].dtype == dtype
    assert (
        Way(source, converter, {"shapes": shapes} if "shapes" in CONVERTERS[converter].Options.__annotations__ else {})
        .prove(tmp_path)
        .verdict
        is Verdict.PASS
    )


STEPS_FIRST = """
    <ir_version: 9, opset_import: ["" : 18]>
    agraph (float[t,n,2] x{lengths}) => (float[t,1,n,3] y, float[1,n,3] last) <float[1,{rows},2] w, float[1,{rows},3] r>
    {{ y, last = {layer}<hidden_size = 3{more}>(x, w, r{asked}) }}
"""


def steps_first(folder: Path, layer: str, rows: int, more: str = "", lengths: bool = False) -> Path:
    """Write a recurrent layer over a dynamic number of steps, which stand before the samples."""
    text = STEPS_FIRST.format(
        layer=layer, rows=rows, more=more, lengths=", int32[n] count" * lengths, asked=", , count" * lengths
    )
    made, rng = onnx.parser.parse_model(text), np.random.default_rng(0)
    del made.graph.initializer[:]
    for name, size in (("w", 2), ("r", 3)):
        table = rng.standard_normal((1, rows, size)).astype(np.float32)
        made.graph.initializer.append(onnx.numpy_helper.from_array(table, name))
    onnx.checker.check_model(made)
    onnx.save(made, folder / "model.onnx")
    return folder / "model.onnx"


@pytest.mark.parametrize(
    ("layer", "rows", "more"), [("LSTM", 12, ""), ("GRU", 9, ", linear_before_reset = 1"), ("RNN", 3, "")]
)
def test_a_recurrent_layer_takes_sequences_of_any_length(layer: str, rows: int, more: str, tmp_path: Path) -> None:
    parity = proven(steps_first(tmp_path, layer, rows, more), PROGRAM, tmp_path)
    assert parity.verdict is Verdict.PASS, parity.reason
    assert next(check for check in parity.checks if check.name == "sizes").samples >= 10


@pytest.mark.parametrize("converter", [PROGRAM, SCRIPT, "onnx_to_openvino"])
def test_lengths_of_sequences_that_a_target_cannot_read_are_refused_in_words(converter: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"(lengths|time steps|sizes of its example)"):
        proven(steps_first(tmp_path, "LSTM", 12, lengths=True), converter, tmp_path)


def test_a_size_that_inputs_share_is_the_same_in_each(tmp_path: Path) -> None:
    """The batch is the second axis of one input and the first of the other."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        weighted (float[steps, batch, 2] x, float[batch] share) => (float[steps, batch, 2] y)
        <int64[1] last = {1}>
        { s = Unsqueeze(share, last)  y = Mul(x, s) }"""
    )
    onnx.save(model, tmp_path / "m.onnx")
    for way in ("onnx_to_torch_export", "onnx_to_torchscript"):
        proof = Way(tmp_path / "m.onnx", way, {}).prove(tmp_path)
        assert proof.verdict is Verdict.PASS, f"{way}: {proof.reason}"


def test_ids_that_come_as_floats_look_up_a_row(tmp_path: Path) -> None:
    """Keras declares ids as floats; ordinary numbers reach rows that a small table has not."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        table (float[N, 21] ids) => (float[N, 21, 4] rows) { i = Cast<to = 7>(ids)  rows = Gather(t, i) }"""
    )
    rows = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(rows, "t"))
    onnx.save(model, tmp_path / "m.onnx")
    for way in (PROGRAM, SCRIPT):
        assert runtime_for(CONVERTERS[way].target).open(
            Way(tmp_path / "m.onnx", way, {}).convert(tmp_path), CONVERTERS[way].target
        )


@pytest.mark.parametrize("way", [PROGRAM, SCRIPT])
def test_rows_of_a_table_are_counted_from_its_end_too(way: str, tmp_path: Path) -> None:
    """ONNX takes places from -5 to 4 in a table of five rows."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        table (int64[N] ids) => (float[N, 4] rows) { rows = Gather(t, ids) }"""
    )
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(rows, "t"))
    onnx.save(model, tmp_path / "m.onnx")
    target = CONVERTERS[way].target
    made = runtime_for(target).open(Way(tmp_path / "m.onnx", way, {}).convert(tmp_path), target)
    (answer,) = made.run({made.signature.inputs[0].name: np.arange(-5, 5)}).values()
    assert np.array_equal(answer, np.concatenate([rows, rows]))


def test_of_equal_numbers_the_first_is_taken(tmp_path: Path) -> None:
    source = written(
        """<ir_version: 8, opset_import: ["" : 17]>
        order (float[N, 20] x) => (float[N, 3] y, int64[N, 3] i) <int64[1] k = {3}> { y, i = TopK(x, k) }""",
        tmp_path,
    )
    way = Way(source, PROGRAM, {})
    session = runtime_for("torch_export").open(way.convert(tmp_path), "torch_export")
    x = torch.randint(0, 2, (50, 20), generator=torch.Generator().manual_seed(0)).float()
    places = torch.from_numpy(list(session.run({"x": x.numpy()}).values())[1])
    assert torch.equal(places, torch.argsort(x, dim=1, descending=True, stable=True)[:, :3])
