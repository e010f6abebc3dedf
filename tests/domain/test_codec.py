"""The one codec: what it writes comes back, and what is off the declaration does not come in."""

import json
import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

import pytest

from core.domain.codec import Json, Malformed, decode, encode


class Colour(StrEnum):
    """Two values."""

    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    """What stands inside."""

    sizes: tuple[int, ...] = ()
    share: float = 0.0


@dataclass(frozen=True)
class Outer:
    """One field of each kind that seams use."""

    DERIVED: ClassVar = ("double",)
    INLINE: ClassVar = ("inner",)

    count: int
    colour: Colour
    inner: Inner
    options: dict[str, Json] = field(default_factory=dict)
    dims: tuple[int | str | None, ...] | None = None
    maybe: Inner | None = None
    named: dict[str, Inner] = field(default_factory=dict)
    bounds: tuple[float, float] | None = None
    words: tuple[str, ...] = ()

    @property
    def double(self) -> int:
        """Twice the count."""
        return 2 * self.count


FULL = Outer(
    3, Colour.BLUE, Inner((1, 2), math.inf), {"a": [1, {"b": None}]}, (1, "n", None), Inner(), {"x": Inner((3,))}, (0.5, 2.0), ("w",)
)  # fmt: skip


def test_what_is_written_comes_back_through_json() -> None:
    written = json.loads(json.dumps(encode(FULL), allow_nan=False))
    assert decode(Outer, written) == FULL
    assert (written["double"], written["sizes"], written["share"]) == (6, [1, 2], "inf")
    assert "inner" not in written


def test_a_derived_value_is_worked_out_and_never_believed() -> None:
    assert decode(Outer, {**encode(FULL), "double": 1000}).double == 6


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"count": "3"},
        {"count": True},
        {"count": 3.0},
        {"colour": "green"},
        {"share": "much"},
        {"share": True},
        {"options": {"a": object()}},
        {"options": {1: "a"}},
        {"dims": [1.5]},
        {"maybe": {"share": "4"}},
        {"maybe": {"secret": 1}},
        {"maybe": []},
        {"named": [["x", {}]]},
        {"bounds": [1.0]},
        {"words": "letters"},
        {"words": [1]},
    ],
)
def test_what_is_off_the_declaration_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        decode(Outer, {**encode(FULL), **change})


def test_a_missing_field_is_refused_by_its_name() -> None:
    written = encode(FULL)
    del written["colour"]
    with pytest.raises(Malformed, match=r"\$\.colour"):
        decode(Outer, written)


@pytest.mark.parametrize("value", [None, 3, "text", [1]])
def test_a_value_of_another_kind_is_refused(value: Any) -> None:
    with pytest.raises(Malformed):
        decode(Outer, value)
