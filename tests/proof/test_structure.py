"""What differs between two graphs is named, and what is only spelled otherwise is no difference."""

import onnx
import pytest

from benchmarks import diffs
from core.domain.difference import ChangeKind
from core.proof.structure.difference import difference
from tests.proof.planted import PAIRS, pair
from tests.proof.test_network import graph, turned


def test_every_planted_change_is_named_and_nothing_else_is() -> None:
    found = diffs.measure(0)
    assert found["no_change"] == found["renamed_only"] == 4
    assert found["planted"] >= 30
    assert [row for row in found["rows"] if not row["named"]] == []


@pytest.mark.parametrize("name", PAIRS)
def test_a_planted_fault_is_a_change_and_another_spelling_is_none(name: str) -> None:
    right, wrong = pair(name)
    alike, other = difference(right, turned(right)), difference(right, wrong)
    assert alike.same
    assert not alike.changes
    assert not other.same
    assert other.changes


def test_graphs_that_draw_are_never_called_the_same_though_nothing_differs() -> None:
    model = graph("d (float[3] x) => (float[3] y) { r = RandomNormalLike (x) y = Add (x, r) }")
    found = difference(model, model)
    assert (found.same, found.changes) == (False, ())
    assert "random" in found.sentence


def test_another_shape_another_type_and_another_operator_set() -> None:
    old = graph("s (float[N, 4] x) => (float[N, 4] y) { y = Softmax (x) }")
    new = onnx.ModelProto()
    new.CopyFrom(old)
    new.opset_import[0].version = 11
    new.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    found = difference(old, new)
    assert {one.kind for one in found.changes} >= {ChangeKind.DEFINITION, ChangeKind.INTERFACE}
    assert "float['N', 4] became float[1, 4]" in " ".join(one.sentence for one in found.changes)


def test_long_lists_are_counted_in_full_and_show_each_kind() -> None:
    layers = "".join(f"a{n} = Relu (a{n - 1})\n" for n in range(1, 301))
    long = graph(f"l (float[3] x) => (float[3] y) {{ a0 = Abs (x)\n {layers} y = Neg (a300) }}")
    short = graph("l (float[3] x) => (float[3] z) { a0 = Abs (x) z = Neg (a0) }")
    found = difference(long, short)
    assert found.counts == {"removed": 300, "renamed": 1}
    assert {one.kind for one in found.changes} == {ChangeKind.REMOVED, ChangeKind.RENAMED}
    assert len(found.changes) < 300
