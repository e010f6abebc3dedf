"""Says of a result that it did not get smaller or faster, and why, by what was measured on both files."""

import math
from collections.abc import Iterator, Sequence

from core.domain.compression import Cause
from core.domain.measures import KernelCounts, Sizes
from core.domain.overhead import Kernels, Pace, Race
from core.domain.technique import Claim
from core.domain.weight_change import WeightChange

ZEROS = 0.1
"""Share of weights above which zeros are worth a word."""


def causes(
    size: Sizes, weights: Sequence[WeightChange], race: Race, kernels: KernelCounts, claim: Claim
) -> Iterator[Cause]:
    """Yield a sentence for what did not get smaller, and one for what did not get faster."""
    if size.after >= size.before:
        grew = f"The file did not shrink; it grew by {size.after / size.before - 1:.1%}."
        yield Cause(" ".join([grew, *stored(size, weights)]), True)
    if race.pace is not Pace.FASTER:
        yield Cause(
            f"{pace(race)} {ran(kernels.before, kernels.after)}", race.pace is Pace.SLOWER or claim is Claim.LATENCY
        )


def stored(size: Sizes, weights: Sequence[WeightChange]) -> Iterator[str]:
    """Yield what the file holds now: its weights, those that are zero, and all else."""
    known = [(one, one.bytes_after, one.shape_after) for one in weights]
    kept = [(one, bytes, shape) for one, bytes, shape in known if bytes is not None and shape is not None]
    if not kept:
        return
    before, after = sum(one.bytes_before for one, _, _ in kept), sum(bytes for _, bytes, _ in kept)
    rest = [size.before - before, size.after - after]
    yield f"Its weights take {after:,} bytes instead of {before:,}, and everything else {rest[1]:,} instead of {rest[0]:,}."
    counted = sum(math.prod(shape) for _, _, shape in kept)
    zeros = sum(one.zeros or 0 for one, _, _ in kept)
    if counted and zeros / counted > ZEROS:
        yield f"{zeros / counted:.0%} of the weights are zero, yet each weight still takes {after / counted:.1f} bytes."


def pace(race: Race) -> str:
    """Say how fast it is."""
    figures = f"{race.ratio:.2f} times the speed, 95 % interval {race.low:.2f} to {race.high:.2f}"
    words = {
        Pace.SLOWER: "It became slower",
        Pace.SAME: "It is as fast as before",
        Pace.UNCLEAR: "It is not shown to be faster",
    }
    return f"{words[race.pace]}: {figures}."


def ran(before: Kernels, after: Kernels) -> str:
    """Say what the engine runs of both files."""
    products = after.integer + after.floating
    if after.integer > before.integer:
        between = f", with {after.between} conversions between floats and integers around them" if after.between else ""
        return f"ONNX Runtime runs {after.integer} of its {products} products in integers{between}."
    if (after.integer, after.floating) == (before.integer, before.floating) and products:
        more = after.all - before.all
        beside = f", and {more} additional operators" if more > 0 else ""
        return f"ONNX Runtime runs the same {products} products, of the same types as before{beside}."
    return f"ONNX Runtime runs {after.all} operators instead of {before.all}, {products} of them products."
