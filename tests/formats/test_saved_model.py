"""SavedModels: what serves is read from the bytes, and what reaches outside is refused by name."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.formats import FORMATS
from core.runtimes import runtime_for
from tests.formats.verdict import refused

DATA = Path(__file__).parent / "data"


def field(number: int, value: bytes | str) -> bytes:
    """Return a field of a protobuf message that holds bytes."""
    data = value.encode() if isinstance(value, str) else value
    return size(number << 3 | 2) + size(len(data)) + data


def size(value: int) -> bytes:
    """Return a number as protobuf writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def node(name: str, op: str, *inputs: str, calls: str = "") -> bytes:
    """Return an operator, with the function that it calls."""
    call = field(5, field(1, "f") + field(2, field(10, field(1, calls)))) if calls else b""
    return field(1, name) + field(2, op) + b"".join(field(3, one) for one in inputs) + call


def model(*nodes: bytes, functions: bytes = b"", graphs: int = 1, more: bytes = b"") -> bytes:
    """Return a SavedModel whose signature answers ``y:0`` from ``x:0``."""
    ends = (field(1, name) + field(2, field(1, name + ":0") + size(2 << 3) + size(1)) for name in ("x", "y"))
    signature = b"".join(field(number, end) for number, end in zip((1, 2), ends, strict=True))
    graph = b"".join(field(1, one) for one in nodes) + field(2, functions)
    meta = field(2, graph) + field(5, field(1, "serving_default") + field(2, signature)) + more
    return size(1 << 3) + size(1) + field(2, meta) * graphs


def function(name: str, *nodes: bytes) -> bytes:
    """Return a function of the library."""
    return field(1, field(1, field(1, name)) + b"".join(field(3, one) for one in nodes))


def zipped(path: Path, proto: bytes) -> Path:
    """Write a zip around a graph."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("saved_model.pb", proto)
        archive.writestr("variables/variables.index", b"")
    return path


X = node("x", "Placeholder")
REFUSED = {
    "python code": (model(X, node("y", "PyFunc", "x")), "PyFunc"),
    "python code in a function": (
        model(
            X, node("y", "StatefulPartitionedCall", "x", calls="f"), functions=function("f", node("z", "EagerPyFunc"))
        ),
        "EagerPyFunc",
    ),
    "files, two at once": (model(X, node("r", "ReadFile"), node("y", "WriteFile", "x", "^r")), "ReadFile, WriteFile"),
    "a file that nothing serves": (model(X, node("y", "Relu", "x"), node("z", "ReadFile")), "ReadFile"),
    "a data set": (model(X, node("y", "TFRecordDatasetV2", "x")), "TFRecordDatasetV2"),
    "a saver in the network": (model(X, node("y", "RestoreV2", "x")), "RestoreV2"),
    "custom operator": (model(X, node("y", "MyOwnOp", "x")), "MyOwnOp"),
    "two graphs": (model(X, node("y", "Relu", "x"), graphs=2), "2 graphs"),
    "no signature": (size(1 << 3) + size(1) + field(2, field(2, field(1, X))), "no signature"),
    "nothing": (b"", "0 graphs"),
    "cut off": (model(X, node("y", "Relu", "x"))[:-3], "cut off"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_arithmetic_is_refused_by_name(name: str, tmp_path: Path) -> None:
    proto, word = REFUSED[name]
    assert word in refused(zipped(tmp_path / "m.zip", proto))


def test_an_unknown_operator_that_does_not_serve_is_told_and_taken(tmp_path: Path) -> None:
    path = zipped(tmp_path / "m.zip", model(X, node("y", "Relu", "x"), functions=function("g", node("z", "MyTrainOp"))))
    assert not refused(path)
    (risk,) = FORMATS["saved_model"].audit(path)
    assert (risk.level, "MyTrainOp" in risk.what) == ("info", True)
    assert FORMATS["saved_model"].inspect(path).operators == {"Relu": 1}


def test_the_text_of_a_summary_reaches_nothing_and_its_writer_does(tmp_path: Path) -> None:
    told = node("z", "ScalarSummary", "x")
    assert not refused(zipped(tmp_path / "m.zip", model(X, node("y", "Relu", "x"), told)))
    for writer in (
        "WriteScalarSummary",
        "SummaryWriter",
        "WriteSummary",
        "CreateSummaryFileWriter",
        "ScalarSummaryV2X",
    ):
        proto = model(X, node("y", "Relu", "x"), told, node("w", writer, "z"))
        assert writer in refused(zipped(tmp_path / "m.zip", proto))


def test_a_function_that_calls_itself_ends(tmp_path: Path) -> None:
    loop = function("f", node("z", "PartitionedCall", calls="f"))
    path = zipped(tmp_path / "m.zip", model(X, node("y", "PartitionedCall", "x", calls="f"), functions=loop))
    assert not refused(path)


def test_the_keras_2_kind_tells_what_it_serves(tmp_path: Path) -> None:
    summary = FORMATS["saved_model"].inspect(DATA / "saved_model_keras2.zip")
    assert [(s.name, s.dtype, s.shape) for s in summary.signature.inputs] == [
        ("picture", "float32", ("batch", 12, 12, 1))
    ]
    assert [(s.name, s.shape) for s in summary.signature.outputs] == [("dense", ("batch", 5))]
    assert (summary.parameters, summary.precision, summary.producer) == (821, "float32", "TensorFlow 2.21.0")
    assert (summary.operators or {})["DepthwiseConv2dNative"] == 1
    assert summary.notes["signature"] == "serving_default"


def test_the_saver_of_tensorflow_1_stands_in_the_main_graph(tmp_path: Path) -> None:
    kind = FORMATS["saved_model"]
    assert not refused(DATA / "saved_model_tf1.zip")
    summary = kind.inspect(DATA / "saved_model_tf1.zip")
    assert (summary.parameters, summary.operators) == (12, {"Softmax": 1, "MatMul": 1, "VariableV2": 1})
    x = np.array([[1.0, 0.0, 2.0, -1.0]], np.float32)
    (answer,) = runtime_for("saved_model").open(DATA / "saved_model_tf1.zip", "saved_model").run({"x": x}).values()
    raised = np.exp(x @ np.arange(12, dtype=np.float32).reshape(4, 3) / 10)
    assert np.allclose(answer, raised / raised.sum(), atol=1e-6)


SAVER = field(3, field(1, "name:0") + field(2, "save:0") + field(3, "restore"))
NAMED = (node("name", "PlaceholderWithDefault"), node("other", "Const"), node("save", "SaveV2", "name"))
RESTORED = node("read", "RestoreV2", "name")
SAVING = {
    "a saver": ((*NAMED, RESTORED, node("restore", "NoOp", "^read")), SAVER, ""),
    "no saver is told": ((*NAMED, RESTORED, node("restore", "NoOp", "^read")), b"", ""),
    "another file is read": ((*NAMED, node("read", "RestoreV2", "other"), node("restore", "NoOp", "^read")), SAVER, "RestoreV2"),
    "saved on the way": ((*NAMED, RESTORED, node("restore", "NoOp", "^read", "^save")), SAVER, "SaveV2"),
    "saved at the start": (
        (*NAMED, RESTORED, node("restore", "NoOp", "^read")),
        SAVER + field(4, field(1, "saved_model_main_op") + field(2, field(1, field(1, "save")))),
        "SaveV2",
    ),
    "saved for another signature": (
        (*NAMED, RESTORED, node("restore", "NoOp", "^read")),
        SAVER + field(5, field(1, "z") + field(2, field(2, field(1, "z") + field(2, field(1, "save:0"))))),
        "SaveV2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAVING)
def test_a_saver_only_restores(name: str, tmp_path: Path) -> None:
    nodes, more, word = SAVING[name]
    words = refused(zipped(tmp_path / "m.zip", model(X, node("y", "Relu", "x"), *nodes, more=more)))
    assert word in words if word else not words


def test_a_file_beside_the_model_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.zip").write_bytes((DATA / "saved_model_softmax.zip").read_bytes())
    with zipfile.ZipFile(tmp_path / "m.zip", "a") as archive:
        archive.writestr("model/notes.txt", b"x")
    risks = FORMATS["saved_model"].audit(tmp_path / "m.zip")
    assert [(risk.level, risk.where) for risk in risks] == [("warning", "model/notes.txt")]
