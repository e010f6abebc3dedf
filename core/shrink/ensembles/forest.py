"""A forest in which equal parts are one: a leaf is what it adds to the answer, a split is its question and its two sides."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from core.domain.errors import Refused

DEEPEST = 300
MOST = 2_000_000
"""Parts that are walked at most: shared parts may stand for far more than the file holds."""
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
"""In the order of their numbers in ai.onnx.ml 5."""


class Leaf(NamedTuple):
    """What a tree adds to the targets, ascending."""

    weights: tuple[tuple[int, float], ...]


class Split(NamedTuple):
    """A question to one feature, whether a missing value counts as yes, and the places of both sides among the parts."""

    feature: int
    mode: str
    bound: float
    missing: bool
    yes: int
    no: int


Part = Leaf | Split
Key = tuple[int, int]
"""What a file calls a node."""
Real = type[np.float32] | type[np.float64]
Span = tuple[np.floating, np.floating, bool]
"""The least and the largest number that gets to a part, and whether missing values do."""
Asked = Leaf | tuple[int, str, float, bool, Key, Key]
Ask = Callable[[Key], Asked]
"""From what a file calls a node to its leaf, or to its question and what the file calls its sides."""


@dataclass
class SharedForest:
    """Parts, each once and behind those that it names, and the roots of the trees."""

    parts: list[Part] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    _known: dict[Part, int] = field(default_factory=dict)

    def add(self, part: Part) -> int:
        """Return the place of a part; a split whose sides are one is that side."""
        if isinstance(part, Split) and part.yes == part.no:
            return part.yes
        place = self._known.setdefault(part, len(self.parts))
        if place == len(self.parts):
            self.parts.append(part)
        return place

    def grow(self, root: Key, ask: Ask, done: dict[Key, int]) -> int:
        """Read one tree and return the place of its root. Raises Refused where it is too deep or runs in a circle."""
        # A list in place of recursion: the depth of a stranger's tree must not be that of Python's stack.
        waiting = [root]
        while waiting:
            here = ask(waiting[-1])
            sides = () if isinstance(here, Leaf) else here[4:]
            open_ = [side for side in sides if side not in done]
            if open_:
                waiting.append(open_[0])
            else:
                part = here if isinstance(here, Leaf) else Split(*here[:4], done[here[4]], done[here[5]])
                done[waiting.pop()] = self.add(part)
            # A circle never ends and only makes the list longer, so its length finds both.
            if len(waiting) > DEEPEST:
                raise Refused(f"A tree is deeper than {DEEPEST} splits, or contains a cycle.", "Train shallower trees.")
        return done[root]

    def used(self) -> set[int]:
        """Return the places that the roots reach."""
        found, waiting = set(self.roots), list(set(self.roots))
        while waiting:
            part = self.parts[waiting.pop()]
            fresh = {part.yes, part.no} - found if isinstance(part, Split) else set()
            found |= fresh
            waiting += fresh
        return found


def mapped(forest: SharedForest, change: Callable[[int, Part], Part]) -> SharedForest:
    """Return the forest with each part that is reached replaced by what ``change`` returns for it; sides keep their old places there."""
    out, place = SharedForest(), dict[int, int]()
    for at in sorted(forest.used()):
        part = change(at, forest.parts[at])
        if isinstance(part, Split):
            part = part._replace(yes=place[part.yes], no=place[part.no])
        place[at] = out.add(part)
    out.roots = [place[root] for root in forest.roots]
    return out


def reachable(forest: SharedForest, dtype: Real) -> SharedForest:
    """Drop the sides that no number of the feature's type gets to, given the questions above. Raises Refused beyond ``MOST``."""
    out, steps = SharedForest(), 0

    def walk(place: int, spans: dict[int, Span]) -> int:
        nonlocal steps
        steps += 1
        if steps > MOST:
            raise Refused(f"The trees have more than {MOST:,} splits.", "Train fewer trees.")
        part = forest.parts[place]
        if isinstance(part, Leaf):
            return out.add(part)
        span = spans.get(part.feature, (dtype(-np.inf), dtype(np.inf), True))
        sides = [(side, _narrowed(part, span, dtype, yes)) for side, yes in ((part.yes, True), (part.no, False))]
        places = [walk(side, {**spans, part.feature: kept}) for side, kept in sides if kept]
        return out.add(part._replace(yes=places[0], no=places[1])) if len(places) == 2 else places[0]

    out.roots = [walk(root, {}) for root in forest.roots]
    return out


def _narrowed(part: Split, span: Span, dtype: Real, yes: bool) -> Span | None:
    """Return what of a span [low, high] of numbers, and of missing values, goes to one side; None where nothing does."""
    low, high = _answering(part.mode, dtype(part.bound), yes)
    low, high = max(span[0], low), min(span[1], high)
    # NaN differs from every bound, so that a missing value answers yes to BRANCH_NEQ.
    gaps = span[2] and (part.missing or part.mode == "BRANCH_NEQ") is yes
    return (low, high, gaps) if low <= high or gaps else None


def _answering(mode: str, bound: np.floating, yes: bool) -> tuple[np.floating, np.floating]:
    """Return the least and the largest number of the bound's type that answers a question so."""
    above, below, least, most = np.nextafter(bound, np.inf), np.nextafter(bound, -np.inf), -np.inf, np.inf
    return {
        "BRANCH_LEQ": ((least, bound), (above, most)),
        "BRANCH_LT": ((least, below), (bound, most)),
        "BRANCH_GTE": ((bound, most), (least, below)),
        "BRANCH_GT": ((above, most), (least, bound)),
        "BRANCH_EQ": ((bound, bound), (least, most)),
        "BRANCH_NEQ": ((least, most), (bound, bound)),
    }[mode][0 if yes else 1]
