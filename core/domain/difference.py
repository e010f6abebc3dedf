"""What differs between two graphs, change by change, with what is merely called otherwise kept apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from core.domain.report import Count


class ChangeKind(StrEnum):
    """What kind of difference one change is."""

    ADDED = "added"
    REMOVED = "removed"
    ATTRIBUTE = "attribute"
    WEIGHT = "weight"
    PRECISION = "precision"
    SHAPE = "shape"
    CONNECTION = "connection"
    DEFINITION = "definition"
    INTERFACE = "input or output"
    RENAMED = "renamed"


@dataclass(frozen=True)
class Change:
    """One difference at one operator, or at an input or output: ``what`` is the attribute, tensor or end that it concerns.

    Of a weight, ``differ`` counts the numbers that changed, ``moved`` is the root mean square of the change as a share of
    that of the weight, and ``largest`` is the largest change of one number.
    """

    kind: ChangeKind
    operator: str
    name: str
    what: str = ""
    before: str = ""
    after: str = ""
    differ: Count | None = None
    moved: float | None = None
    largest: float | None = None

    @property
    def sentence(self) -> str:
        """The change in words."""
        where = f"{self.operator} {self.name}".strip()
        match self.kind:
            case ChangeKind.ADDED | ChangeKind.REMOVED:
                return f"{where} was {self.kind}."
            case ChangeKind.INTERFACE | ChangeKind.RENAMED:
                return f"{where} {self.what}: {self.before} became {self.after}."
            case ChangeKind.WEIGHT:
                moved = "" if self.moved is None else f", by {self.moved:.2g} of their size"
                of = f"{self.differ.k:,} of {self.differ.n:,} numbers of " if self.differ else ""
                return f"{where}: {of}{self.what} changed{moved}."
        return f"{where}: {self.kind} of {self.what} from {self.before} to {self.after}."


@dataclass(frozen=True)
class Difference:
    """Two graphs beside each other: ``counts`` by kind counts all changes, ``changes`` lists the first of them.

    ``same`` says that every answer is computed alike, so that no input can tell the two apart; ``renamed`` counts operators
    that are only called otherwise.
    """

    DERIVED: ClassVar = ("sentence",)

    before: int
    after: int
    matched: int
    same: bool
    counts: dict[str, int] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    renamed: int = 0

    @property
    def sentence(self) -> str:
        """What differs, in words."""
        called = f" {self.renamed:,} of its operators are called otherwise." if self.renamed else ""
        if self.same:
            return f"No change: both compute every answer alike.{called}"
        if not self.counts:
            return "Both read alike operator by operator, but they cannot be known to answer alike, as a graph that draws random numbers cannot."
        told = ", ".join(f"{n:,} {kind}" for kind, n in self.counts.items())
        return f"{self.matched:,} of {self.before:,} operators stand in both. Changes: {told}.{called}"


def listed(changes: Sequence[Change], most: int) -> tuple[Change, ...]:
    """Return the first changes of each kind in turns, so that no kind hides another, and the largest weights first."""
    kinds = {kind: [one for one in changes if one.kind is kind] for kind in ChangeKind}
    for found in kinds.values():
        found.sort(key=lambda one: -(one.moved or 0.0))
    share = max(1, most // max(1, sum(map(bool, kinds.values()))))
    return tuple(one for found in kinds.values() for one in found[:share])
