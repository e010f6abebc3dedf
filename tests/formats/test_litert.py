"""LiteRT: every table is read within the file, and code that is not in it is refused by name."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.formats import FORMATS
from core.runtimes import runtime_for
from tests.formats import made_litert
from tests.formats.made_litert import BUILTIN, Maker, schema
from tests.formats.verdict import refused

LITERT = FORMATS["litert"]


def test_a_float_model_tells_about_itself(honest: dict[str, Path]) -> None:
    summary = LITERT.inspect(honest["dense.tflite"])
    assert [(s.name, s.dtype, s.shape) for s in summary.signature.inputs] == [("x", "float32", ("batch", 4))]
    assert (summary.parameters, summary.precision, summary.producer) == (15, "float32", "made in a test")
    assert summary.operators == {"FULLY_CONNECTED": 1, "SOFTMAX": 1}


def test_an_8_bit_model_tells_about_itself(honest: dict[str, Path]) -> None:
    summary = LITERT.inspect(honest["quantized.tflite"])
    assert summary.precision == "int8"
    assert summary.notes["quantized_tensors"] == 4
    assert summary.signature.inputs[0].dtype == "int8"


def test_zeros_that_a_sparse_weight_leaves_out_are_counted(tmp_path: Path) -> None:
    """A weight of 4 by 5 with 6 numbers stored, one of them zero, in the form of ``tfl.sparsity``: rows dense, columns sparse."""
    made = Maker()
    x, y = made.tensor("x", "float32", [1, 5]), made.tensor("y", "float32", [1, 4])
    w = made.weight("w", np.array([1, 2, 0, 3, 4, 5], np.float32))
    made.tensors[w].shape = [4, 5]
    rows, columns = schema.DimensionMetadataT(), schema.DimensionMetadataT()
    rows.format, rows.denseSize = schema.DimensionType.DENSE, 4
    columns.format = schema.DimensionType.SPARSE_CSR
    columns.arraySegmentsType = columns.arrayIndicesType = schema.SparseIndexVector.Uint8Vector
    columns.arraySegments, columns.arrayIndices = schema.Uint8VectorT(), schema.Uint8VectorT()
    columns.arraySegments.values, columns.arrayIndices.values = [0, 2, 3, 4, 6], [0, 1, 2, 3, 0, 4]
    made.tensors[w].sparsity = schema.SparsityParametersT()
    made.tensors[w].sparsity.traversalOrder, made.tensors[w].sparsity.dimMetadata = [0, 1], [rows, columns]
    made.operator(BUILTIN.FULLY_CONNECTED, [x, w, -1], [y], schema.FullyConnectedOptionsT())
    (tmp_path / "m.tflite").write_bytes(made.packed([x], [y]))
    assert not refused(tmp_path / "m.tflite")
    summary = LITERT.inspect(tmp_path / "m.tflite")
    assert (summary.parameters, summary.sparsity) == (20, 0.75)


def test_zero_is_what_the_quantization_says(tmp_path: Path) -> None:
    made = Maker()
    x, y = made.tensor("x", "uint8", [1, 4], scale=0.1), made.tensor("y", "uint8", [1, 2], scale=0.1)
    w = made.weight("w", np.array([[128, 128, 128, 0], [128, 200, 128, 128]], np.uint8), scale=0.1)
    made.tensors[w].quantization.zeroPoint = [128]
    made.operator(BUILTIN.FULLY_CONNECTED, [x, w, -1], [y], schema.FullyConnectedOptionsT())
    (tmp_path / "m.tflite").write_bytes(made.packed([x], [y]))
    assert LITERT.inspect(tmp_path / "m.tflite").sparsity == 0.75


def test_all_custom_operators_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(made_litert.custom("FlexErf", "Mine", "FlexQr"))
    words = refused(tmp_path / "m.tflite")
    assert "of TensorFlow itself: Erf, Qr." in words
    assert "custom operators: Mine." in words


def test_a_variable_is_told(tmp_path: Path) -> None:
    made = Maker()
    x, w = made.tensor("x", "float32", [1, 2]), made.weight("w", np.ones((2, 2), np.float32))
    r, b = made.weight("r", np.full((2, 2), 0.5, np.float32)), made.weight("b", np.zeros(2, np.float32))
    state, y = made.tensor("state", "float32", [1, 2]), made.tensor("y", "float32", [1, 2])
    made.tensors[state].isVariable = True
    made.operator(BUILTIN.RNN, [x, w, r, b, state], [y], schema.RNNOptionsT())
    (tmp_path / "m.tflite").write_bytes(made.packed([x], [y]))
    assert not refused(tmp_path / "m.tflite")
    assert any("keeps a state" in risk.what for risk in LITERT.audit(tmp_path / "m.tflite"))
    session = runtime_for("litert").open(tmp_path / "m.tflite", "litert")
    first, again = (session.run({"x": np.ones((1, 2), np.float32)})["y"] for _ in range(2))
    assert np.array_equal(first, again)


@pytest.mark.parametrize("word", [b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\0"])
def test_a_pointer_anywhere_may_lie(word: bytes, honest: dict[str, Path], tmp_path: Path) -> None:
    data = honest["dense.tflite"].read_bytes()
    answers = []
    for place in (0, *range(8, len(data) - 4, 4)):
        path = tmp_path / f"{place}.tflite"
        path.write_bytes(data[:place] + word + data[place + 4 :])
        answers.append(refused(path))
        if not answers[-1]:
            LITERT.inspect(path)
    assert sum(map(bool, answers)) > len(answers) // 8


def test_shared_tables_do_not_multiply_the_work(tmp_path: Path) -> None:
    """A vector of a million subgraphs that are all the same one is refused, not walked a million times."""
    model = made_litert.dense()
    root = struct.unpack("<I", model[:4])[0]
    fields = root - struct.unpack("<i", model[root : root + 4])[0]
    field = root + struct.unpack("<H", model[fields + 8 : fields + 10])[0]
    vector = field + struct.unpack("<I", model[field : field + 4])[0]
    graph = vector + 4 + struct.unpack("<I", model[vector + 4 : vector + 8])[0]
    count, start = 1_000_000, len(model) + 4
    offsets = (graph - np.arange(start, start + 4 * count, 4, dtype=np.int64)).astype(np.uint32)
    bomb = bytearray(model) + struct.pack("<I", count) + offsets.tobytes()
    bomb[field : field + 4] = struct.pack("<I", len(model) - field)
    (tmp_path / "bomb.tflite").write_bytes(bomb)
    assert refused(tmp_path / "bomb.tflite")


def test_rows_of_a_table_bound_the_ids(tmp_path: Path) -> None:
    made = Maker()
    ids = made.tensor("ids", "int32", [1, 3], free=True)
    table = made.weight("table", np.ones((7, 2), np.float32))
    y = made.tensor("y", "float32", [1, 3, 2], free=True)
    made.operator(BUILTIN.GATHER, [table, ids], [y], schema.GatherOptionsT())
    (tmp_path / "m.tflite").write_bytes(made.packed([ids], [y]))
    session = runtime_for("litert").open(tmp_path / "m.tflite", "litert")
    assert session.domains["ids"].bound == 7
    assert session.run({"ids": np.full((3, 3), 6, np.int32)})["y"].shape == (3, 3, 2)


def test_the_replay_of_a_bundle_answers_like_the_runtime(honest: dict[str, Path]) -> None:
    import core.answers.bundle

    room: dict[str, Any] = {"np": np}
    exec((Path(core.answers.bundle.__file__).parent / "verify_litert.txt").read_text(), room)
    path, x = honest["dense.tflite"], np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    replayed = room["open_model"](path)({"x": x})
    assert np.array_equal(replayed[0], runtime_for("litert").open(path, "litert").run({"x": x})["y"])
