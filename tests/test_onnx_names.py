"""New names stand beside all that a model has, in branches too, and beside each other."""

from copy import copy

import onnx
import pytest

from core.onnx.names import FreshNames

MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
alone (float[1] a, bool c, float[1] b_copy) => (float[1] d) {
    d = If (c) <then_branch = yes () => (float[1] b) { b = Neg (a) }, else_branch = no () => (float[1] e) { e = Abs (b_copy) }>
}
"""


@pytest.fixture
def names() -> FreshNames:
    return FreshNames.of(onnx.parser.parse_model(MODEL))


def test_short_names_pass_over_those_of_branches(names: FreshNames) -> None:
    assert [names.short() for _ in range(3)] == ["f", "g", "h"]


def test_letters_go_on_behind_z() -> None:
    names = FreshNames({"ab"})
    assert [names.short() for _ in range(29)][-4:] == ["z", "aa", "ac", "ad"]


def test_like_names_get_a_number_where_they_are_taken(names: FreshNames) -> None:
    assert [names.like("b", "copy"), names.like("b", "copy"), names.like("a", "copy")] == [
        "b_copy_2",
        "b_copy_3",
        "a_copy",
    ]


def test_a_copy_gives_short_names_anew(names: FreshNames) -> None:
    assert copy(names).short() == names.short() != names.short()
