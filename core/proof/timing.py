"""Times one file alone: processor time and wall-clock time of each call, over several sessions of the same file."""

import math
import random
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from core.domain.percentile import percentiles
from core.domain.profile import Timing
from core.proof import speed
from core.proof.parity import feed
from core.proof.speed import Call, Opener

SESSIONS, FEWEST_SESSIONS = 4, 2
RUNS, FEWEST_RUNS = 2400, 3
"""Calls in all, and in a session of a slow model; the 99th percentile needs 662 (``core/domain/percentile.py``)."""
QUANTILES = 400
"""Service times that are kept of all calls; the last one is the 99.9th percentile."""
GROUP_NS = 500_000
"""Processor time is read over as many calls as take half a millisecond together, for one call can be below what its clock tells apart."""


def timed(
    opener: Opener,
    inputs: dict[str, np.ndarray],
    batch: int,
    threads: int,
    seed: int,
    seconds: float,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
) -> Timing:
    """Time calls on ``inputs``, which hold ``batch`` samples, for about so many seconds or until there are enough."""
    started, dice = time.monotonic(), random.Random(seed)  # noqa: S311
    walls: list[np.ndarray] = []
    processors: list[np.ndarray] = []
    for number in range(SESSIONS):
        progress(number / SESSIONS, f"Timing: session {number + 1} of {SESSIONS}")
        call = _warm(opener, inputs)
        wall, processor = _calls(call, started + seconds * (number + 1) / SESSIONS, dice)
        walls.append(wall)
        processors.append(processor)
        if time.monotonic() > started + seconds and len(walls) >= FEWEST_SESSIONS:
            break
    return _judged(walls, processors, batch, threads, seed)


def _warm(opener: Opener, inputs: dict[str, np.ndarray]) -> Call:
    """Open a session and run it a few times."""
    session = opener()
    call: Call = partial(session.run, feed(session, inputs))
    speed.warm(call)
    return call


def _calls(call: Call, until: float, dice: random.Random) -> tuple[np.ndarray, np.ndarray]:
    """Return nanoseconds of wall clock [n], and of processor time a call [groups, each with its number of calls]."""
    group = _group(call)
    wall: list[int] = []
    processor: list[tuple[float, int]] = []
    while len(processor) < FEWEST_RUNS or (len(wall) < RUNS / SESSIONS and time.monotonic() < until):
        # Groups of equal length could beat in time with what else the machine does at a fixed pace.
        calls = dice.randint(group, group + group // 4)
        begun = speed.processor_ns()
        for _ in range(calls):
            at = time.perf_counter_ns()
            call()
            wall.append(time.perf_counter_ns() - at)
        processor.append(((speed.processor_ns() - begun) / calls, calls))
    return np.array(wall, dtype=np.float64), np.array(processor)


def _group(call: Call) -> int:
    begun = speed.processor_ns()
    call()
    return max(1, min(64, GROUP_NS // max(1, speed.processor_ns() - begun)))


def _judged(walls: list[np.ndarray], processors: list[np.ndarray], batch: int, threads: int, seed: int) -> Timing:
    wall = np.concatenate(walls) / 1e6
    spent = sum(float((one[:, 0] * one[:, 1]).sum()) for one in processors) / 1e6
    found = speed.interval([np.log(np.maximum(one[:, 0], 1.0)) for one in processors], seed)
    cpu, low, high = (math.exp(value) / 1e6 for value in found)
    return Timing(
        batch=batch,
        threads=threads,
        runs=len(wall),
        sessions=len(walls),
        cpu=cpu,
        cpu_low=low,
        cpu_high=high,
        mean=float(wall.mean()),
        least=float(wall.min()),
        percentiles=percentiles(wall.tolist()),
        interference=float(wall.sum()) / max(spent, 1e-9),
        service=tuple(np.quantile(wall, (np.arange(QUANTILES) + 0.5) / QUANTILES).tolist()),
    )
