"""Waiting times against theory, which is exact for exponential and for constant service, and money by hand."""

import math

import numpy as np
import pytest

from core.answers.queueing import _responses, capacity, parallel, real_time, respond, safe_rate
from core.domain.errors import Refused
from core.domain.price import EXAMPLES, Assumptions, Machine, price

MEAN = 10.0
NEVER = 1e9


def exponential(n: int = 20_000) -> list[float]:
    """Return service times whose quantiles are those of an exponential distribution."""
    return [-MEAN * math.log(1 - (k + 0.5) / n) for k in range(n)]


def erlang(load: float, share: float) -> float:
    """Return a quantile of the response of M/D/1 with a service of 1, by the exact distribution of the wait (Erlang 1909)."""

    def waited(t: float) -> float:
        terms = ((-load * (t - k)) ** k / math.factorial(k) * math.exp(load * (t - k)) for k in range(int(t) + 1))
        return (1 - load) * math.fsum(terms)

    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if waited(middle) < share else (low, middle)
    return 1 + low


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_exponential_service_is_as_theory_says(load: float) -> None:
    service = exponential()
    rate = load * capacity(service)
    mean = float(np.mean(service)) / (1 - load)
    found = [respond(service, rate, deadline=4 * mean, seed=seed, requests=200_000) for seed in range(3)]
    assert np.mean([one.mean for one in found]) == pytest.approx(mean, rel=0.05)
    assert np.mean([one.p99 for one in found]) == pytest.approx(mean * math.log(100), rel=0.1)
    assert np.mean([one.missed for one in found]) == pytest.approx(math.exp(-4), rel=0.15)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_constant_service_is_as_theory_says(load: float) -> None:
    found = [respond([MEAN], load * capacity([MEAN]), NEVER, seed=seed, requests=200_000) for seed in range(3)]
    assert np.mean([one.mean for one in found]) == pytest.approx(MEAN * (1 + load / (2 * (1 - load))), rel=0.05)
    assert np.mean([one.p99 for one in found]) == pytest.approx(MEAN * erlang(load, 0.99), rel=0.1)


def test_one_worker_is_simulated_alike_in_closed_form_and_request_by_request() -> None:
    dice = np.random.default_rng(0)
    arrivals, service = np.cumsum(dice.exponential(12, 5000)), dice.exponential(MEAN, 5000)
    assert _responses(arrivals, service, 1) == pytest.approx(parallel(arrivals, service, 1))


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_two_workers_are_as_theory_says(load: float) -> None:
    service = exponential()
    found = respond(service, load * capacity(service, 2), NEVER, workers=2, requests=200_000)
    assert found.mean == pytest.approx(float(np.mean(service)) / (1 - load**2), rel=0.05)  # M/M/2


def test_the_safe_rate_keeps_the_deadline_and_a_little_more_does_not() -> None:
    service, deadline = [3.0], 20.0
    rate = safe_rate(service, deadline)
    assert respond(service, rate, deadline).missed <= 0.01
    assert respond(service, rate * 1.02, deadline).missed > 0.01
    assert 0.5 < rate / capacity(service) < 0.95
    assert safe_rate(service, deadline=2.0) == 0


def test_who_cannot_keep_up_misses_everything() -> None:
    found = respond([10.0], 150, 100)
    assert (found.p99, found.missed) == (None, 1.0)


@pytest.mark.parametrize("service", [[], [0.0], [math.nan], [-1.0]])
def test_times_that_are_none_are_refused(service: list[float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        respond(service, 1, 1)


def test_a_million_predictions_by_hand() -> None:
    # 3.6 ms a call of 2 predictions: 1,800 s for a million; two cores, busy half the time, 1 an hour
    found = price(3.6, 2, Machine("m", 2, 1.0), Assumptions(utilization=0.5, watts=10, pue=2.0, grams=500))
    assert found.money == pytest.approx(0.5)
    assert found.kwh == pytest.approx(1800 * 10 * 2 / 3.6e6)
    assert found.grams == pytest.approx(5.0)
    assert all("Example" in one.name for one in EXAMPLES)


@pytest.mark.parametrize("wrong", [{"utilization": 0}, {"pue": 0.5}, {"watts": -1}])
def test_assumptions_out_of_bounds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="utilization"):
        Assumptions(**wrong)


def test_what_random_arrivals_meet_is_told_for_each_load() -> None:
    found = real_time([3.0], 20.0, 1)
    assert found.capacity == pytest.approx(1000 / 3)
    p99s = [one.p99 for one in found.responses]
    assert p99s == sorted(p99s)
    with pytest.raises(Refused, match="deadline"):
        real_time([3.0], -1.0, 1)
