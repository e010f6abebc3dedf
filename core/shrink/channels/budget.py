"""How many channels each group loses: the same share of each, or where a saved multiply-add costs the least error."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from core.onnx.linear_layers import LinearLayer
from core.shrink.channels.groups import Channels, Group

LEVELS = 10
"""Numbers of channels that are tried in a group at most."""


@dataclass(frozen=True)
class Level:
    """A number of channels that stay, and the error of the model's answers when no other group loses any."""

    kept: int
    error: float


def counts(units: int) -> list[int]:
    """Return the numbers of units that may stay, falling: all, or multiples of what processors reckon with at once.

    With AVX-512, ONNX Runtime 1.31.1 takes as long for 40 channels of a convolution as for 48, and 20 are slower than 24.
    """
    step = 16 if units >= 32 else 8 if units >= 16 else 4 if units >= 8 else 1
    return [units, *(n for n in range(units - 1, 0, -1) if n % step == 0)]


def tried(units: int) -> list[int]:
    """Return some of the numbers that may stay, ``LEVELS`` at most, evenly from all to fewest."""
    possible = counts(units)
    places = np.unique(np.linspace(0, len(possible) - 1, min(LEVELS, len(possible))).round().astype(int))
    return [possible[place] for place in places]


def even(groups: tuple[Group, ...], share: float) -> list[int]:
    """Return how many units of each group stay when all lose the same share, as near as the numbers allow."""
    return [min(counts(len(g.units)), key=lambda n: (abs(n - len(g.units) * (1 - share)), -n)) for g in groups]


@dataclass(frozen=True)
class Work:
    """What the layers multiply and add for the samples that the graph was walked with."""

    shapes: dict[str, tuple[int, ...]]
    times: dict[str, float]
    """How often the whole matrix of each layer is applied."""

    groups: tuple[Group, ...]

    @classmethod
    def of(cls, layers: list[LinearLayer], found: Channels) -> "Work":
        """Count it for layers as they are."""
        times = {one.weight.name: prod(found.trace.shapes[one.node.output[0]]) / len(one.matrix) for one in layers}
        return cls({one.weight.name: tuple(one.weight.tensor.dims) for one in layers}, times, found.groups)

    def left(self, kept: list[int]) -> float:
        """Return the multiply-adds with so many units left in each group."""
        dims = {name: list(shape) for name, shape in self.shapes.items()}
        for group, units in zip(self.groups, kept, strict=True):
            for (name, axis), indices in group.places.items():
                if name in dims:
                    dims[name][axis] -= (len(group.units) - units) * indices.shape[1]
        return float(sum(self.times[name] * prod(shape) for name, shape in dims.items()))


def measured(work: Work, levels: list[list[Level]], most: float) -> list[int]:
    """Return how many units of each group stay within ``most`` multiply-adds, with a small sum of errors.

    Each step goes to the next level of the group where a saved multiply-add costs the least error; then units move
    from one group to another as long as that lowers the sum.
    """
    state = [0] * len(levels)
    while work.left(_kept(levels, state)) > most and (steps := list(_lower(levels, state))):
        state = min(steps, key=lambda step: _price(work, levels, state, step))
    while better := [
        step
        for step in _moves(levels, state)
        if _error(levels, step) < _error(levels, state) and work.left(_kept(levels, step)) <= most
    ]:
        state = min(better, key=lambda step: _error(levels, step))
    return _kept(levels, state)


def _kept(levels: list[list[Level]], state: list[int]) -> list[int]:
    return [options[place].kept for options, place in zip(levels, state, strict=True)]


def _error(levels: list[list[Level]], state: list[int]) -> float:
    return sum(options[place].error for options, place in zip(levels, state, strict=True))


def _price(work: Work, levels: list[list[Level]], state: list[int], step: list[int]) -> float:
    saved = work.left(_kept(levels, state)) - work.left(_kept(levels, step))
    return (_error(levels, step) - _error(levels, state)) / max(saved, 1e-9)


def _lower(levels: list[list[Level]], state: list[int]) -> Iterator[list[int]]:
    """Yield the states with one group a level lower."""
    for group, options in enumerate(levels):
        if state[group] + 1 < len(options):
            yield [place + (n == group) for n, place in enumerate(state)]


def _moves(levels: list[list[Level]], state: list[int]) -> Iterator[list[int]]:
    """Yield the states with one group a level higher, alone or against a lower level of another."""
    for start in (state, *_lower(levels, state)):
        for group, place in enumerate(start):
            if place and start[group] == state[group]:
                yield [before - (n == group) for n, before in enumerate(start)]
