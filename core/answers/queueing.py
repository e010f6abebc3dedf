"""How long requests wait that arrive at random: Poisson arrivals, workers in parallel, and service times as they were measured.

First come, first served. Each request takes the worker that is free first; it responds when that one is done. Checked
against M/M/1 (response times are exponential with rate mu - lambda) and M/D/1 (Erlang 1909) in ``tests/test_queueing.py``.
Requests of a start are left out, for the queue is empty there.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.domain.errors import Refused

REQUESTS = 60_000
WARM = 0.1
"""Share of the requests by which the queue fills."""
SATURATED = 0.98
"""Utilization above which no queue is simulated: it grows without end, or nearly so."""
LOADS = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
"""Shares of the capacity at which a queue is shown."""
STEPS = 14
"""Halvings by which the largest safe rate is found, to 1 part in 16,000 of the capacity."""


@dataclass(frozen=True)
class Response:
    """What requests meet at one rate: milliseconds until the answer, the share of missed deadlines, and how busy the workers are; the times are None where they cannot keep up."""

    rate: float
    utilization: float
    mean: float | None
    p50: float | None
    p99: float | None
    missed: float


def capacity(service: Sequence[float], workers: int = 1) -> float:
    """Return the requests a second at which the workers never rest; ``service`` are milliseconds of single calls."""
    return 1000.0 * workers / float(np.mean(service))


def respond(
    service: Sequence[float], rate: float, deadline: float, workers: int = 1, seed: int = 0, requests: int = REQUESTS
) -> Response:
    """Simulate ``requests`` that arrive at ``rate`` a second; service times and ``deadline`` are milliseconds.

    Raises ValueError for service times that are not positive numbers.
    """
    times = np.asarray(service, dtype=np.float64)
    if not (times.size and np.isfinite(times).all() and (times > 0).all() and rate > 0 and workers > 0):
        raise ValueError("service times, the rate and workers are positive numbers")
    busy = rate / capacity(service, workers)
    if busy >= SATURATED:
        return Response(rate, busy, None, None, None, 1.0)
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1000.0 / rate, requests))
    waits = _responses(arrivals, rng.choice(times, requests), workers)[int(WARM * requests) :]
    p50, p99 = (float(one) for one in np.quantile(waits, (0.5, 0.99)))
    return Response(rate, busy, float(waits.mean()), p50, p99, float((waits > deadline).mean()))


def safe_rate(
    service: Sequence[float],
    deadline: float,
    missed: float = 0.01,
    workers: int = 1,
    seed: int = 0,
    requests: int = REQUESTS,
) -> float:
    """Return the largest rate a second at which no more than a share of requests misses the deadline; 0 where none does."""
    low, high = 0.0, SATURATED * capacity(service, workers)
    for _ in range(STEPS):
        middle = (low + high) / 2
        if respond(service, middle, deadline, workers, seed, requests).missed <= missed:
            low = middle
        else:
            high = middle
    return low


@dataclass(frozen=True)
class RealTime:
    """Which rate keeps a deadline in 99 of 100 requests, and what requests meet at some rates."""

    deadline: float
    workers: int
    capacity: float
    safe_rate: float
    responses: tuple[Response, ...]


def real_time(service: Sequence[float], deadline: float, workers: int) -> RealTime:
    """Return what random arrivals meet. Raises Refused for a deadline or workers that are none."""
    if not (0 < deadline < 1e9 and 0 < workers <= 1024):
        raise Refused(
            "A deadline is a number of milliseconds above 0, and workers are 1 to 1,024.", "Give such numbers."
        )
    most = capacity(service, workers)
    found = tuple(respond(service, load * most, deadline, workers) for load in LOADS)
    return RealTime(deadline, workers, most, safe_rate(service, deadline, workers=workers), found)


def _responses(arrivals: np.ndarray, service: np.ndarray, workers: int) -> np.ndarray:
    """Return the time from arrival to answer of each request."""
    if workers == 1:
        # Lindley's recursion in closed form: a request ends at the largest, over all before it, of an arrival and the
        # work since.
        work = np.cumsum(service)
        return np.asarray(np.maximum.accumulate(arrivals - (work - service)) + work - arrivals)
    return parallel(arrivals, service, workers)


def parallel(arrivals: np.ndarray, service: np.ndarray, workers: int) -> np.ndarray:
    """Return the same for any number of workers, request by request."""
    free = [0.0] * workers
    ends = np.empty_like(arrivals)
    for place, (arrival, time) in enumerate(zip(arrivals.tolist(), service.tolist(), strict=True)):
        ends[place] = max(arrival, heapq.heappop(free)) + time
        heapq.heappush(free, float(ends[place]))
    return np.asarray(ends - arrivals)
