"""What the cost of a call hangs on: growth along open axes, more and less complex variants, threads."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from core.calls import growth as growing
from core.domain.artifact import Artifact, TensorSpec
from core.domain.codec import decode, encode
from core.domain.factors import Factors, FactorsRequest, Growth, Point
from core.domain.overhead import Pace
from core.domain.recipe import Step
from core.doors import commands
from core.proof import growth
from core.sandbox.tools import Tools
from core.verbs import factors, lineage
from tests.proof.layered import chain
from tests.test_versus import subject

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="the jail and the mark are Linux's")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "SECONDS", 0.1)
    monkeypatch.setattr(factors, "SECONDS", 0.5)


def attention(path: Path) -> Path:
    """Write a network in which each of some values meets each other: products of [batch, length, 8] with themselves."""
    dims = ["batch", "length", 8]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name in "xy")
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["x", "t"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "x"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def points(*times: float) -> tuple[Point, ...]:
    return tuple(Point(2**n, one) for n, one in enumerate(times))


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([5.0, 5.0, 1.0, 2.0, 4.0, 8.1], "in proportion (exponent 1.0"),
        ([9.0, 9.0, 1.0, 4.0, 16.1, 64.0], "with the square (exponent 2.0"),
        ([1.0, 1.0, 1.0, 1.01, 1.0, 1.01], "hardly at all (exponent 0.0"),
        ([1.0, 1.42, 2.0, 2.83], "more slowly than in proportion (exponent 0.5"),
        ([1.0, 2.83, 8.0, 22.6], "faster than in proportion, but more slowly than with the square (exponent 1.5"),
        ([1.0, 8.0, 64.1, 512.0], "faster than with the square (exponent 3.0"),
        ([1.0, 9.0, 2.0, 40.0], "is not clear (exponent"),
        ([1.0, 2.0, 4.0], "Too few sizes"),
    ],
)
def test_growth_is_named_only_where_its_interval_is_narrow(times: list[float], words: str) -> None:
    found = points(*times)
    assert words in Growth("length", found, growth.exponent(found)).words


def test_both_sides_of_a_picture_are_one_axis_and_one_name_is_one_axis() -> None:
    fed = {"a": np.zeros((1, 3, 32, 32)), "b": np.zeros((1, 7)), "c": np.zeros((1, 7, 2))}
    specs = (
        TensorSpec("a", "float32", ("n", 3, "h", "w")),
        TensorSpec("b", "int64", ("n", "length")),
        TensorSpec("c", "float32", (1, "length", 2)),
    )
    assert growth.axes(specs, fed) == {growth.SIDE: [("a", 2), ("a", 3)], "the size length": [("b", 1), ("c", 1)]}


def test_time_grows_with_the_square_of_the_length_and_in_proportion_to_the_batch(tools: Tools, tmp_path: Path) -> None:
    found = factors.run(tools, FactorsRequest(subject(tools, attention(tmp_path / "m.onnx"))))
    batch, length = found.grown.axes
    assert (batch.axis, length.axis) == (growth.BATCH, "the size length")
    assert batch.exponent
    assert length.exponent
    assert batch.exponent.low < 1.3, batch
    assert batch.exponent.high > 0.2, batch
    assert length.exponent.low < 2.5, length
    assert length.exponent.high > 1.3, length
    assert length.points[-1].size >= 512
    assert decode(Factors, encode(found)) == found


def test_a_smaller_variant_is_told_by_its_macs_and_one_of_other_inputs_by_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    six, one = (chain(n, 96, tmp_path / f"{n}.onnx") for n in (6, 1))
    other = chain(1, 48, tmp_path / "other.onnx")
    assert commands.main([*map(str, ("profile", six, "--json", "--factors", one, other))]) == 0
    value = json.loads(capsys.readouterr().out)
    own, small, strange = value["variants"]
    assert own["macs"] == 6 * small["macs"] == 6 * 96 * 96
    assert own["cpu"] > small["cpu"] > 0
    assert small["race"]["pace"] == Pace.FASTER
    assert (strange["race"], "inputs" in strange["trouble"]) == (None, True)


def test_variants_go_back_to_the_same_upload() -> None:
    def made(id: str, parent: str | None, format: str = "onnx") -> Artifact:
        return Artifact(id, id * 64, 1, format, id, parent, Step("any") if parent else None, created=ord(id))

    shelf = [
        made("a", None, "skops"),
        made("b", "a"),
        made("c", "b"),
        made("d", "c"),
        made("e", "b", "ort"),
        made("f", None),
    ]
    assert [one.id for one in lineage.variants(shelf, "c")] == ["b", "d"]
