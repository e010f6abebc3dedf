"""Boosted trees as plain tables, whoever trained them: XGBoost's and LightGBM's files are read into one noun, with nothing loaded.

A reader checks each number that a walk through the trees would follow, so that what comes out can be walked without
a look at bounds. The standard library is enough for it; what is made of a forest (ONNX, PMML, source text) is written elsewhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.errors import Refused

MAX_NODES = 50_000_000
MAX_BYTES = 512 << 20
LEAF = -1


@dataclass(frozen=True)
class Tree:
    """Splits and leaves by place, the root at 0; ``left`` and ``right`` are -1 at a leaf, ``value`` holds the leaf's answer.

    A sample goes left when its feature is below the threshold (or equal to it where the forest says so); at a place in
    ``categories`` it goes left when the category is *not* one of those. Missing numbers go where ``missing_left`` says.
    """

    feature: Sequence[int]
    threshold: Sequence[float]
    left: Sequence[int]
    right: Sequence[int]
    missing_left: Sequence[bool]
    value: Sequence[float]
    target: int = 0
    categories: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def splits(self) -> Iterator[int]:
        """Yield the places that are splits and can be reached."""
        pending = [0]
        while pending:
            place = pending.pop()
            if self.left[place] != LEAF:
                yield place
                pending += [self.right[place], self.left[place]]

    @property
    def depth(self) -> int:
        """The number of splits on the longest way down."""
        depths, deepest = {0: 0}, 0
        for place in self.splits():
            below = depths.pop(place) + 1
            depths[self.left[place]] = depths[self.right[place]] = below
            deepest = max(deepest, below)
        return deepest


@dataclass(frozen=True)
class BoostedTrees:
    """Trees whose leaf values add up per target, then ``link`` makes the answer: identity, sigmoid, softmax, each_sigmoid, exp, log1p_exp, signed_square.

    ``classes`` is 0 for a number as the answer, else the number of classes. ``features`` counts the columns, ``dtype`` is the
    type in which the engine compares, ``labels`` are the classes where they are more than 0, 1, 2, ``equal_left`` sends a tie left, ``zero_missing`` names columns where a zero counts as missing,
    ``truncates`` reads -0.5 as category 0, and ``average`` divides the sum by that number of rounds.
    """

    features: int
    targets: int
    trees: tuple[Tree, ...]
    base: tuple[float, ...]
    link: str
    classes: int
    dtype: str
    equal_left: bool
    objective: str
    names: tuple[str, ...] = ()
    labels: tuple[str | int, ...] = ()
    scale: float = 1.0
    average: int = 1
    zero_missing: frozenset[int] = frozenset()
    truncates: bool = False
    ranges: dict[int, tuple[float, float]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def splits(self) -> int:
        """Splits in all trees."""
        return sum(1 for tree in self.trees for _ in tree.splits())

    @property
    def categorical(self) -> tuple[int, ...]:
        """The columns on which a tree splits by category."""
        return tuple(sorted({int(tree.feature[place]) for tree in self.trees for place in tree.categories}))

    def thresholds(self) -> dict[int, list[float]]:
        """Return the thresholds of the numeric splits by column, in the order of the trees."""
        found: dict[int, list[float]] = {}
        for tree in self.trees:
            for place in tree.splits():
                if place not in tree.categories:
                    found.setdefault(int(tree.feature[place]), []).append(float(tree.threshold[place]))
        return found


def check_tree(tree: Tree, features: int, where: str) -> None:
    """Refuse a tree that a walk could leave: places out of range, reached twice, or without an end; features that there are not."""
    count = len(tree.left)
    seen = bytearray(count)
    pending = [0] if count else []
    if not count:
        raise Refused(f"{where} has no nodes.", "Save the model again.")
    while pending:
        place = pending.pop()
        if not 0 <= place < count or seen[place]:
            raise Refused(f"{where} is not a tree: node {place} is missing or reached twice.", "Save the model again.")
        seen[place] = 1
        if tree.left[place] == LEAF and tree.right[place] == LEAF:
            continue
        if not 0 <= tree.feature[place] < features:
            raise Refused(f"{where} splits on feature {tree.feature[place]} of {features}.", "Save the model again.")
        pending += [tree.right[place], tree.left[place]]


def content(path: Path) -> bytes:
    """Return a file's bytes. Raises Refused where it has more than any model."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise Refused(
            f"The file has {size / 1e6:,.0f} MB; the limit is {MAX_BYTES / 1e6:,.0f} MB.", "Train fewer trees."
        )
    return path.read_bytes()


def refuse_size(count: int) -> None:
    """Refuse more nodes than any model has."""
    if count > MAX_NODES:
        raise Refused(f"The trees have {count:,} nodes; the limit is {MAX_NODES:,}.", "Train fewer or smaller trees.")
