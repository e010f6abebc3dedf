"""How the time of a call grows with the sizes that a model leaves open, and with which power."""

import time
from collections.abc import Iterator
from functools import partial

import numpy as np

from core.domain.artifact import TensorSpec
from core.domain.factors import Exponent, Growth, Point
from core.domain.runtime import Session
from core.proof import speed
from core.proof.golden import Golden
from core.proof.parity import feed

BATCH = "the samples of a call"
SIDE = "the side of a picture"
BATCHES = 1, 2, 4, 8, 16, 32, 64
SCALES = 0.5, 1, 2, 4, 8, 16, 32, 64
LARGEST, LARGEST_SIDE = 2048, 1024
"""Where values meet each other in pairs, memory grows with the square of a size."""
LONGEST_SECONDS = 0.2
"""A size whose call takes this long is the last one."""
LARGEST_BYTES = 64_000_000
UPPER, CALLS = 4, 400
"""How many sizes an exponent is fitted to, the largest."""
STUDENT = 4.303
"""The 97.5 % point of Student's distribution with ``UPPER`` - 2 degrees of freedom."""
Inputs = dict[str, np.ndarray]


def growths(session: Session, recorded: Golden, seconds: float) -> list[Growth]:
    """Time calls of growing size along each axis, so many seconds for each size."""
    ways: dict[str, Iterator[tuple[int, Inputs]]] = {BATCH: _batches(recorded)}
    one, _ = recorded.ordinary(1)
    fed = feed(session, one)
    ways |= {name: _scaled(fed, places) for name, places in axes(session.signature.inputs, fed).items()}
    found = []
    for name, sizes in ways.items():
        points = tuple(_points(session, sizes, seconds))
        if len(points) > 1:
            found.append(Growth(name, points, exponent(points)))
    return found


def axes(specs: tuple[TensorSpec, ...], fed: Inputs) -> dict[str, list[tuple[str, int]]]:
    """Return the open dimensions behind the batch as (input, place), by what they are called; both sides of a picture are one axis."""
    found: dict[str, list[tuple[str, int]]] = {}
    for spec in specs:
        shape = spec.shape or ()
        places = [place for place, dim in enumerate(shape) if place and not isinstance(dim, int)]
        if len(shape) == 4 and len(places) == 2 and len({fed[spec.name].shape[place] for place in places}) == 1:
            found.setdefault(SIDE, []).extend((spec.name, place) for place in places)
            continue
        for place in places:
            dim = shape[place]
            name = f"the size {dim}" if isinstance(dim, str) and dim != "?" else f"dimension {place + 1} of the input"
            found.setdefault(name, []).append((spec.name, place))
    return found


def exponent(points: tuple[Point, ...]) -> Exponent | None:
    """Fit the logarithm of the time to that of the size over the ``UPPER`` largest sizes by least squares.

    The interval is Student's for a slope, so it is as wide as the points lie off a straight line. None for fewer sizes.
    """
    upper = points[-UPPER:]
    if len(upper) < UPPER:
        return None
    x, y = (np.log([getattr(one, name) for one in upper]) for name in ("size", "cpu"))
    off = x - x.mean()
    slope = float((off * y).sum() / (off**2).sum())
    left = y - y.mean() - slope * off
    error = float(np.sqrt((left**2).sum() / (UPPER - 2) / (off**2).sum()))
    half = STUDENT * error
    return Exponent(slope, slope - half, slope + half, len(upper))


def _batches(recorded: Golden) -> Iterator[tuple[int, Inputs]]:
    for batch in BATCHES:
        inputs, samples = recorded.ordinary(batch)
        if samples == batch:
            yield batch, inputs


def _scaled(fed: Inputs, places: list[tuple[str, int]]) -> Iterator[tuple[int, Inputs]]:
    """Yield the inputs cut off or repeated along some places to growing sizes."""
    name, place = places[0]
    base = fed[name].shape[place]
    most = max(base, LARGEST_SIDE if len({axis for key, axis in places if key == name}) > 1 else LARGEST)
    for size in dict.fromkeys(max(1, round(base * scale)) for scale in SCALES if base * scale <= most):
        inputs = dict(fed)
        for key, axis in places:
            inputs[key] = np.take(inputs[key], np.arange(size) % inputs[key].shape[axis], axis)
        yield size, inputs


def _points(session: Session, sizes: Iterator[tuple[int, Inputs]], seconds: float) -> Iterator[Point]:
    """Yield the median time of each size that the model takes, until one takes long."""
    for size, inputs in sizes:
        if sum(array.nbytes for array in inputs.values()) > LARGEST_BYTES:
            return
        call = _taken(session, inputs)
        if call is None:
            continue
        cpu = _median(call, seconds)
        yield Point(size, cpu / 1e6)
        if cpu > LONGEST_SECONDS * 1e9:
            return


def _taken(session: Session, inputs: Inputs) -> speed.Call | None:
    """Return a warm call, or None where the engine does not take inputs of such a size."""
    try:
        call: speed.Call = partial(session.run, feed(session, inputs))
        speed.warm(call)
    except Exception:
        return None
    return call


def _median(call: speed.Call, seconds: float) -> float:
    """Return the median of nanoseconds of processor time of a call, each the mean of as many as take half a millisecond."""
    begun = speed.processor_ns()
    call()
    group = max(1, min(64, speed.SAMPLE_NS // max(1, speed.processor_ns() - begun)))
    until, found = time.monotonic() + seconds, list[float]()
    while len(found) < 3 or (len(found) < CALLS and time.monotonic() < until):
        begun = speed.processor_ns()
        for _ in range(group):
            call()
        found.append((speed.processor_ns() - begun) / group)
    return float(np.median(found))
