"""Pairs the operators of two graphs, whatever they are called and in whatever order they stand.

First by all that an operator is computed from and all that is computed from it (the digests of ``drawing``), then along the
connections of pairs that are sure, then by the longest rows of equal operators; exactly first, then by the operator alone.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from core.proof.structure.drawing import Drawing, Made, downwards, upwards

Key = Sequence[Hashable]


def matched(before: Drawing, after: Drawing) -> dict[int, int]:
    """Return for each operator of ``before`` that has one its place in ``after``."""
    return Matching(before, after).found()


@dataclass
class Matching:
    """The pairs so far, both ways."""

    before: Drawing
    after: Drawing
    there: dict[int, int] = field(default_factory=dict)
    back: dict[int, int] = field(default_factory=dict)

    def found(self) -> dict[int, int]:
        """Go from the surest way of pairing to the least."""
        exact = [[node.local for node in drawing.nodes] for drawing in self.sides]
        loose: list[list[Hashable]] = [[node.operator for node in drawing.nodes] for drawing in self.sides]
        for keys in (exact, loose):
            self.by_digests([[repr(one).encode() for one in side] for side in keys])
            self.along(exact)
            if keys is exact:
                self.by_unique(exact)
                self.along(exact)
        self.settle(exact, loose)
        return self.there

    @property
    def sides(self) -> tuple[Drawing, Drawing]:
        """Both graphs."""
        return self.before, self.after

    def settle(self, exact: Sequence[Key], loose: Sequence[Key]) -> None:
        """Pair what is left, looking again along the connections after each step."""
        while self.along(loose, once=True) or self.in_rows(exact) or self.in_rows(loose):
            self.along(exact)

    def by_digests(self, labels: list[list[bytes]]) -> None:
        """Pair by what is above and below, then by either alone."""
        ups, downs = ([f(d, ls) for d, ls in zip(self.sides, labels, strict=True)] for f in (upwards, downwards))
        both = [list(zip(up, down, strict=True)) for up, down in zip(ups, downs, strict=True)]
        for keys in (both, ups, downs):
            self.in_groups(keys)

    def in_groups(self, keys: Sequence[Key]) -> None:
        """Pair operators of equal keys in the order of the graph."""
        groups = [self.groups(side, key) for side, key in enumerate(keys)]
        for key, places in groups[0].items():
            for one, other in zip(places, groups[1].get(key, ()), strict=False):
                self.pair(one, other)

    def by_unique(self, keys: Sequence[Key]) -> None:
        """Pair operators whose key stands once on each side."""
        first, second = (self.groups(side, key) for side, key in enumerate(keys))
        for key, places in first.items():
            if len(places) == len(second.get(key, ())) == 1:
                self.pair(places[0], second[key][0])

    def groups(self, side: int, key: Key) -> dict[Hashable, list[int]]:
        """Return the operators that have no other yet by key."""
        found: dict[Hashable, list[int]] = defaultdict(list)
        for place in self.left(side):
            found[key[place]].append(place)
        return found

    def left(self, side: int) -> list[int]:
        """Return the places of operators that have no other yet, in the order of the graph."""
        taken = (self.there, self.back)[side]
        return [place for place in self.sides[side].order if place not in taken]

    def along(self, keys: Sequence[Key], once: bool = False) -> bool:
        """Pair neighbours of pairs at the same slots whose keys are equal; say whether there were any."""
        frontier, any_found = list(self.there.items()), False
        while frontier:
            one, other = frontier.pop()
            for a, b in self.neighbours(one, other):
                if a not in self.there and b not in self.back and keys[0][a] == keys[1][b]:
                    self.pair(a, b)
                    frontier.append((a, b))
                    any_found = True
                    if once:
                        return True
        return any_found

    def neighbours(self, one: int, other: int) -> Iterator[tuple[int, int]]:
        """Yield what both read at the same slots, and what reads both at the same slots."""
        for a, b in zip(self.before.nodes[one].sources, self.after.nodes[other].sources, strict=False):
            if isinstance(a, Made) and isinstance(b, Made):
                yield a.place, b.place
        readers: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place, slot, output in self.after.readers[other]:
            if place not in self.back:
                readers[slot, output].append(place)
        for place, slot, output in self.before.readers[one]:
            yield from ((place, b) for b in readers[slot, output])

    def in_rows(self, keys: Sequence[Key]) -> bool:
        """Pair the longest rows of equal keys among what is left; say whether there were any."""
        left = [self.left(side) for side in (0, 1)]
        rows = [[keys[side][place] for place in left[side]] for side in (0, 1)]
        blocks = SequenceMatcher(None, rows[0], rows[1], autojunk=False).get_matching_blocks()
        for block in blocks:
            for step in range(block.size):
                self.pair(left[0][block.a + step], left[1][block.b + step])
        return any(block.size for block in blocks)

    def pair(self, one: int, other: int) -> None:
        """Take down a pair."""
        self.there[one], self.back[other] = other, one
