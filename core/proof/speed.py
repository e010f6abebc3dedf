"""Times two files against each other, so that a few percent show on a machine that does other work.

Both run on the same inputs in one process, in turns and in random order, and what counts is the processor time of a call:
the wall clock also counts the time in which other programs had the processor. A session of one and the same file can be
2 % faster than its twin, by where its memory lies and which was made first, so many pairs of sessions are made, in
alternating order. The interval is a hierarchical bootstrap: pairs of sessions are drawn, then rounds of each.
With other work stretching the wall clock 2.5 times, none of 36 races of a file against itself came out faster or slower,
and 12 of 12 showed 5 % more work (``benchmarks/races.py``); the busier the machine, the more often the answer is unclear.
"""

import math
import random
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from core.domain.overhead import Latency, Race
from core.domain.runtime import Session
from core.proof.parity import feed

Opener = Callable[[], Session]
Call = Callable[[], object]

SESSIONS, FEWEST_SESSIONS = 24, 4
"""Pairs of sessions; both numbers are even, so that each file is made first as often as the other."""
ROUNDS, FEWEST_ROUNDS = 40, 3
MOST_ROUNDS, SESSION_NS = 160, 40_000_000
"""Of short samples there are more rounds, until they took the processor as long as 40 rounds of two samples of half a millisecond."""
SECONDS = 20.0
"""How long a race may take before it makes do with fewer sessions and rounds; what was found so far has no say in that."""
THREADS = 1
"""What the runtimes that have a setting for it are opened with; processor time is that of all threads, whatever an engine starts."""
WARM_CALLS, WARM_SECONDS = 3, 0.5
SAMPLE_NS, MOST_CALLS = 100_000, 1024
"""Calls that take less processor time than a tenth of a millisecond are timed several at once.

The shorter a sample, the more of them lie between two interruptions: with every core busy several times over, 8 races of
calls of 0.13 ms against themselves had a median half interval of 4.0 %, and 11.3 % with samples of half a millisecond and a quarter
of the rounds, in turns; neither called any of them faster or slower.
"""
DRAWS = 2000
PROCESSOR, WALL = 0, 1
"""The clocks of a sample. The wall clock is for settings alone, such as more threads, which cost as much work and end sooner."""


def race(
    parent: Opener,
    variant: Opener,
    inputs: dict[str, np.ndarray],
    batch: int,
    seed: int,
    seconds: float = SECONDS,
    progress: Callable[[float | None, str], None] = lambda fraction, text: None,
    clock: int = PROCESSOR,
) -> Race:
    """Time the variant against its parent on ``inputs`` of the parent, which hold ``batch`` samples; equal seeds give the same order of calls.

    The ratio is that of ``clock``.
    """
    dice, started, calls = random.Random(seed), time.monotonic(), 0  # noqa: S311
    measured: list[np.ndarray] = []
    for number in range(SESSIONS):
        progress(number / SESSIONS, f"Timing: pair {number + 1} of {SESSIONS}")
        pair = _pair(parent, variant, inputs, first=number % 2)
        calls = calls or _calls_per_sample(pair)
        measured.append(_rounds(pair, calls, started + seconds * (number + 1) / SESSIONS, dice))
        over = time.monotonic() > started + seconds
        if over and len(measured) >= FEWEST_SESSIONS and number % 2:
            break
    return _judged(measured, calls, batch, seed, clock)


def interval(logs: list[np.ndarray], seed: int) -> tuple[float, float, float]:
    """Return the midmean over sessions of the median over rounds, with the bounds of its 95 % interval.

    ``logs`` holds an array of rounds [n] for each session.
    """
    rng = np.random.default_rng(seed)
    # Sessions are drawn first, then rounds within each: rounds of one session resemble each other more than rounds of
    # two.
    drawn = rng.integers(len(logs), size=(DRAWS, len(logs)))
    medians = np.empty(drawn.shape)
    for number, rounds in enumerate(logs):
        here = drawn == number
        again = rng.integers(len(rounds), size=(int(here.sum()), len(rounds)))
        medians[here] = np.median(rounds[again], axis=1)
    low, high = np.quantile(_midmean(medians), (0.025, 0.975))
    return float(_midmean(np.array([np.median(rounds) for rounds in logs]))), float(low), float(high)


def _midmean(values: np.ndarray) -> np.ndarray:
    """Return the mean of the middle half along the last axis, which a few sessions that were disturbed do not move."""
    quarter = values.shape[-1] // 4
    return np.asarray(np.sort(values)[..., quarter : values.shape[-1] - quarter].mean(axis=-1))


def _pair(parent: Opener, variant: Opener, inputs: dict[str, np.ndarray], first: int) -> list[Call]:
    """Open both, the one at the place ``first`` before the other, and run each until it is warm."""
    sessions = {place: (parent, variant)[place]() for place in (first, 1 - first)}
    pair: list[Call] = [partial(sessions[place].run, feed(sessions[place], inputs)) for place in (0, 1)]
    for call in pair:
        warm(call)
    return pair


def warm(call: Call) -> None:
    """Call a few times, for half a second at most."""
    started = time.monotonic()
    for _ in range(WARM_CALLS):
        call()
        if time.monotonic() > started + WARM_SECONDS:
            break


def _calls_per_sample(pair: list[Call]) -> int:
    """Return the power of two of calls that take both files long enough; one call alone can be below what the clock tells apart."""
    calls = 1
    while calls < MOST_CALLS and min(_sample(call, calls)[0] * calls for call in pair) < SAMPLE_NS:
        calls *= 2
    return calls


def _rounds(pair: list[Call], calls: int, until: float, dice: random.Random) -> np.ndarray:
    """Return nanoseconds per call [rounds, parent and variant, processor and wall]."""
    rounds: list[list[tuple[float, float]]] = []
    spent, most = 0.0, MOST_ROUNDS
    while len(rounds) < FEWEST_ROUNDS or (len(rounds) < most and time.monotonic() < until):
        samples = {place: _sample(pair[place], calls) for place in dice.sample((0, 1), 2)}
        rounds.append([samples[0], samples[1]])
        spent += calls * (samples[0][PROCESSOR] + samples[1][PROCESSOR])
        most = MOST_ROUNDS if spent < SESSION_NS else ROUNDS
    return np.array(rounds)


def _sample(call: Call, calls: int) -> tuple[float, float]:
    """Return the nanoseconds of processor time and of wall-clock time of one call, as the mean of several."""
    wall, processor = time.perf_counter_ns(), processor_ns()
    for _ in range(calls):
        call()
    processor, wall = processor_ns() - processor, time.perf_counter_ns() - wall
    return processor / calls, wall / calls


def processor_ns() -> int:
    """Return the processor time of all threads.

    In a process with RLIMIT_CPU, which the jail sets, Linux brings that clock up to date only when it switches or ticks,
    every few milliseconds; reading the thread's own clock brings it up to date at once (task_sched_runtime in
    kernel/sched/core.c). Threads that sleep after their work were switched, so theirs is in it already.
    """
    time.thread_time_ns()
    return time.process_time_ns()


def _judged(measured: list[np.ndarray], calls: int, batch: int, seed: int, clock: int) -> Race:
    # As logarithms, twice as fast and half as fast lie equally far from no change.
    logs = [np.log(rounds[:, 0, clock] / rounds[:, 1, clock]) for rounds in measured]
    every = np.concatenate(measured)
    ratio, low, high = (math.exp(value) for value in interval(logs, seed))
    return Race(
        ratio=ratio,
        low=low,
        high=high,
        rounds=len(every),
        sessions=len(measured),
        calls=calls,
        batch=batch,
        threads=THREADS,
        interference=float(every[:, :, 1].sum() / every[:, :, 0].sum()),
        parent=_latency(every[:, 0]),
        variant=_latency(every[:, 1]),
    )


def _latency(samples: np.ndarray) -> Latency:
    """Return the times of one file in milliseconds from samples [n, processor and wall] in nanoseconds."""
    processor, wall = samples[:, 0] / 1e6, samples[:, 1] / 1e6
    p50, p95, p99 = (float(value) for value in np.quantile(wall, (0.5, 0.95, 0.99)))
    return Latency(float(np.median(processor)), p50, p95, p99, float(wall.min()))
