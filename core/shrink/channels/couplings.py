"""Which places along the axes of tensors can only be cut together.

Every place of an axis has an id; ids that are tied go together or stay together, and those tied to FIXED always stay.
An axis is a row of factors, outermost first, so that a merged axis still knows what it was merged from.
"""

from math import prod

import numpy as np

from core.onnx.typing import IntArray

FIXED = 0
"""The id of every place that is never cut."""

Axis = tuple[IntArray, ...]
"""Factors, each an array of ids; the places of the axis are their Cartesian product."""

Value = tuple[Axis, ...]
"""The axes of a tensor."""


def size(axis: Axis) -> int:
    """Return the number of places."""
    return prod(len(factor) for factor in axis)


def still(shape: tuple[int, ...]) -> Value:
    """Return a tensor's axes of which nothing is ever cut."""
    return tuple((np.full(n, FIXED),) for n in shape)


def live(axis: Axis) -> bool:
    """Say whether the axis has places that may be cut, as far as is known yet."""
    return any(bool(factor.any()) for factor in axis)


class Couplings:
    """Hands out ids, and remembers which of them are tied."""

    def __init__(self) -> None:
        self._next = FIXED + 1
        self._ties: list[tuple[IntArray, IntArray]] = []

    def fresh(self, shape: tuple[int, ...]) -> Value:
        """Return the axes of a new tensor, every place on its own; an axis of one place is fixed."""
        axes = []
        for n in shape:
            axes.append((np.arange(self._next, self._next + n) if n > 1 else np.full(n, FIXED),))
            self._next += n
        return tuple(axes)

    def tie(self, one: IntArray, other: IntArray) -> None:
        """Let two arrays of ids of one length go together, place by place."""
        apart = one != other
        if apart.any():
            self._ties.append((one[apart], other[apart]))

    def fix(self, *axes: Axis) -> None:
        """Let nothing of some axes ever be cut."""
        for axis in axes:
            for factor in axis:
                self.tie(factor, np.full(len(factor), FIXED))

    def flat(self, axis: Axis) -> IntArray:
        """Return one id for each place; where two factors could be cut, neither is."""
        if sum(live((factor,)) for factor in axis) > 1:
            self.fix(axis)
            return np.full(size(axis), FIXED)
        ids = np.full(1, FIXED)
        for factor in axis:
            # All factors but one are FIXED, which is 0: the maximum is the id of the one that is not.
            ids = np.maximum(ids[:, None], factor[None, :]).reshape(-1)
        return ids

    def joined(self, one: Axis, other: Axis) -> Axis:
        """Tie two axes that meet place by place, and return what comes out; one place meets all by broadcasting."""
        if 1 in (size(one), size(other)):
            return other if size(one) == 1 else one
        if [len(factor) for factor in one] == [len(factor) for factor in other]:
            for mine, yours in zip(one, other, strict=True):
                self.tie(mine, yours)
            return one
        mine, yours = self.flat(one), self.flat(other)
        self.tie(mine, yours)
        return (mine,)

    def met(self, one: Value, other: Value) -> Value:
        """Tie two tensors that broadcast against each other, last axis to last axis."""
        short, long = sorted((one, other), key=len)
        missing = len(long) - len(short)
        return (
            *long[:missing],
            *(self.joined(mine, yours) for mine, yours in zip(short, long[missing:], strict=True)),
        )

    def regrouped(self, value: Value, shape: tuple[int, ...], inner: bool = False) -> tuple[Value, list[IntArray]]:
        """Return the axes of a tensor in another shape, and the ids along which factors had to be split.

        A factor that is split keeps the ids of its outer part, whole blocks, or those of its ``inner`` part.
        """
        factors = [factor for axis in value for factor in axis if len(factor) != 1]
        axes: list[Axis] = []
        split: list[IntArray] = []
        for wanted in shape:
            axis: list[IntArray] = []
            while wanted > 1 and factors:
                first = factors.pop(0)
                if len(first) % wanted == 0 and len(first) > wanted:
                    first, rest = self._split(first, wanted, inner)
                    split += [rest if inner else first] if live((first,)) or live((rest,)) else []
                    factors.insert(0, rest)
                if not len(first) or wanted % len(first):
                    self.fix(*value)
                    return still(shape), []
                axis.append(first)
                wanted //= len(first)
            axes.append(tuple(axis) or still((wanted,))[0])
        if factors or tuple(map(size, axes)) != shape:
            self.fix(*value)
            return still(shape), []
        return tuple(axes), split

    def _split(self, factor: IntArray, outer: int, inner: bool) -> tuple[IntArray, IntArray]:
        blocks = factor.reshape(outer, -1)
        dead = np.full(blocks.shape, FIXED)
        kept = np.broadcast_to(blocks[:1] if inner else blocks[:, :1], blocks.shape)
        self.tie(factor, kept.reshape(-1))
        return (dead[:, 0], kept[0]) if inner else (kept[:, 0], dead[0])

    def solved(self) -> IntArray:
        """Return for each id the lowest one that it is tied to, over any number of ties; FIXED is the lowest of all."""
        lowest = np.arange(self._next)
        if not self._ties:
            return lowest
        one, other = (np.concatenate([tie[place] for tie in self._ties]) for place in (0, 1))
        while True:
            before, least = lowest.copy(), np.minimum(lowest[one], lowest[other])
            for ends in (one, other):
                # The old representative learns of the tie too; otherwise what else hangs on it would be left behind.
                np.minimum.at(lowest, before[ends], least)
                np.minimum.at(lowest, ends, least)
            # Pointer jumping halves the way to the lowest id, so that long chains settle in few rounds.
            lowest = lowest[lowest]
            if np.array_equal(before, lowest):
                return lowest
