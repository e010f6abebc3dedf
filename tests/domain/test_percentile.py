"""Percentiles are told only where the runs carry them, as MLPerf's LoadGen has it."""

import random

import pytest

from core.domain.percentile import Percentile, fewest, overtime

SEEN = [(2048, 172), (2116, 178), (2145, 181)]
"""What logs of LoadGen itself say at the 90th percentile: calls, and how many of the longest it discards."""


@pytest.mark.parametrize(("share", "calls"), [(0.5, 11), (0.9, 64), (0.95, 130), (0.99, 662)])
def test_the_fewest_calls(share: float, calls: int) -> None:
    assert fewest(share) == calls
    assert Percentile.of(range(calls - 1), share) == Percentile(share, None, None, 1)
    assert Percentile.of(range(calls), share).bound == calls - 1


@pytest.mark.parametrize(("calls", "discarded"), SEEN)
def test_it_discards_as_many_as_loadgen(calls: int, discarded: int) -> None:
    assert overtime(calls, 0.9) - 1 == discarded
    assert Percentile.of(range(calls), 0.9).bound == calls - 1 - discarded


def test_the_bound_holds_in_99_of_100_runs() -> None:
    dice = random.Random(1)
    bounds = [Percentile.of(sorted(dice.random() for _ in range(200)), 0.9).bound for _ in range(1000)]
    held = sum(bound is not None and bound >= 0.9 for bound in bounds)
    assert 985 <= held < 1000
