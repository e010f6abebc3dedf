"""A bound is proven kept or broken by the ends of the interval, and by nothing in its middle."""

import math

import pytest

from core.domain.gate import RUNS, Bounds, Gate, Held
from core.domain.overhead import Footprint, Latency, Race
from core.domain.report import Verdict

NOTHING = Latency(1, 1, 1, 1, 1)


def race(low: float, high: float) -> Race:
    return Race((low + high) / 2, low, high, 100, 4, 1, 1, 1, 1.0, NOTHING, NOTHING)


def peak(low: float, high: float, runs: int = RUNS) -> Footprint:
    return Footprint(1, 1, 1, 0, (low + high) / 2, 1, 1, runs, (low, high))


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.98, 1.02, Verdict.PASS),  # at worst 2.04 % slower
        (0.98, 0.99, Verdict.PASS),
        (0.95, 1.02, Verdict.NOT_PROVEN),  # the middle is within, an end is not
        (0.96, 0.98, Verdict.NOT_PROVEN),  # the middle is 3.09 % slower, an end is not beyond
        (0.90, 0.96, Verdict.FAIL),
    ],
)
def test_slowness_is_judged_by_the_ends(low: float, high: float, verdict: Verdict) -> None:
    gate = Gate.of(Bounds(slowdown=0.03), race(low, high), peak(10, 10), peak(99, 99))
    assert gate.verdict is verdict
    assert len(gate.held) == 1


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ((100, 101), (102, 103), Verdict.PASS),
        ((100, 101), (102, 106), Verdict.NOT_PROVEN),
        ((100, 104), (109, 110), Verdict.NOT_PROVEN),
        ((100, 101), (107, 108), Verdict.FAIL),
        ((0, 1), (0, 1), Verdict.NOT_PROVEN),
    ],
)
def test_memory_is_judged_by_the_ends(old: tuple[int, int], new: tuple[int, int], verdict: Verdict) -> None:
    assert Gate.of(Bounds(memory=0.05), race(1, 1), peak(*old), peak(*new)).verdict is verdict


def test_three_runs_settle_nothing_about_memory() -> None:
    gate = Gate.of(Bounds(memory=0.05), race(1, 1), peak(10, 10, 3), peak(10, 10, 3))
    assert gate.verdict is Verdict.NOT_PROVEN
    assert "unknown" in gate.held[0].sentence


def test_one_broken_bound_breaks_the_gate_and_one_open_one_leaves_it_open() -> None:
    kept, broken, unsettled = (Held("a", 0.05, *ends) for ends in ((0, 0.04), (0.06, 0.07), (0.04, math.inf)))
    assert Gate((kept, broken, unsettled)).verdict is Verdict.FAIL
    assert Gate((kept, unsettled)).verdict is Verdict.NOT_PROVEN
    assert Gate((kept,)).verdict is Verdict.PASS


@pytest.mark.parametrize("share", [-0.01, math.nan, math.inf])
def test_a_bound_that_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Bounds(slowdown=share)
