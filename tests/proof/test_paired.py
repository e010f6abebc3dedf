"""Bounds of a loss hold as often as they say, on drawn variants whose true loss is known."""

import math

import numpy as np
import pytest

from benchmarks import verdicts
from core.domain.codec import decode, encode
from core.domain.loss import PairedLoss
from core.domain.report import Verdict
from core.proof import paired


def test_one_side_of_a_share_is_the_bound_of_clopper_and_pearson() -> None:
    """The rule of three, and the table of Hahn and Meeker (1991)."""
    assert paired.most(0, 299) == pytest.approx(1 - 0.05 ** (1 / 299))
    assert paired.most(0, 299) < 0.01 < paired.most(0, 298)
    assert paired.counts(1, 0, 100).high == pytest.approx(paired.most(1, 100))
    assert paired.least(100, 100) == pytest.approx(0.05 ** (1 / 100))
    assert (paired.least(0, 10), paired.most(10, 10)) == (0.0, 1.0)
    assert paired.most(7, 20) == pytest.approx(1 - paired.least(13, 20))


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 10), (5, 299), (170, 511), (510, 511), (1667, 5000)])
def test_bounds_of_a_share_are_those_of_scipy(k: int, n: int) -> None:
    from scipy import special

    assert paired.most(k, n) == pytest.approx(special.betaincinv(k + 1, n - k, 0.95), abs=1e-9)
    assert paired.least(k, n) == pytest.approx(special.betaincinv(k, n - k + 1, 0.05) if k else 0.0, abs=1e-9)


def test_a_loss_and_a_gain_mirror_each_other() -> None:
    lost, won = paired.counts(9, 4, 300), paired.counts(4, 9, 300)
    assert (lost.low, lost.high, lost.share) == (-won.high, -won.low, -won.share)
    assert lost.low < 0 < lost.share < lost.high
    assert decode(PairedLoss, encode(lost)) == lost


def test_samples_without_a_change_keep_a_width() -> None:
    assert 0 < paired.counts(0, 0, 1000).high < 0.004
    same = np.random.default_rng(0).normal(size=300) ** 2
    found = paired.growth(same, same)
    assert found.share == 0 < found.high
    assert paired.verdict(found, 1e-6) is Verdict.NOT_PROVEN


def test_what_was_not_seen_may_err_as_far_as_labels_are_apart() -> None:
    """One answer in a hundred that is off by three: without it a third of all samples of 150 hold none, and passed."""
    rng, passed = np.random.default_rng(0), {0.0: 0, 25.0: 0}
    allowed = math.sqrt((0.16 + 0.01 * 9) / 0.16) - 1
    for _ in range(100):
        off, falls = rng.normal(size=150) * 0.4, rng.random(150) < 0.01
        before, after = off**2, (off + np.where(falls, 3.0, 0.0)) ** 2
        for reach in passed:
            passed[reach] += paired.verdict(paired.growth(before, after, reach), allowed) is Verdict.PASS
    assert passed[0.0] > 10, "why it is needed"
    assert passed[25.0] == 0


def test_few_numbers_prove_nothing() -> None:
    rng = np.random.default_rng(1)
    found = paired.growth(rng.normal(size=60) ** 2, rng.normal(size=60) ** 2)
    assert found.high == math.inf
    assert paired.verdict(found, 0.9) is Verdict.NOT_PROVEN
    assert paired.needed(found, 0.9) >= paired.FEWEST


def test_an_error_that_comes_from_nothing_is_beyond_any_share() -> None:
    none = np.zeros(200)
    found = paired.growth(none, none + 1.0)
    assert found.share == found.high == math.inf
    assert paired.verdict(found, 0.9) is Verdict.FAIL
    assert decode(PairedLoss, encode(found)) == found


def test_what_is_not_alike_has_no_loss() -> None:
    assert paired.of(np.ones(3, bool), np.ones(3)) is None
    assert paired.of(np.ones(3), np.ones(4)) is None
    assert paired.of(np.array([True, True, False]), np.array([False, True, True])) == paired.counts(1, 1, 3)


@pytest.mark.parametrize("allowed", [0.005, 0.02])
@pytest.mark.parametrize("won", [0.0, 0.002, 0.02])
def test_a_variant_at_the_allowed_loss_passes_in_five_percent_at_most(won: float, allowed: float) -> None:
    """Without drawing: all counts with their probabilities."""
    for n in (150, 511, 1000):
        assert verdicts.level(n, allowed, won) <= paired.MISS


def test_the_interval_of_agresti_and_min_is_no_bound_for_one_side() -> None:
    """Why it is not used."""
    assert verdicts.level(511, 0.005, 0.0, verdicts.agresti_min) > 0.06
    assert verdicts.level(2000, 0.001, 0.0, verdicts.agresti_min) > 0.1


@pytest.mark.parametrize(("rate", "allowed"), [(0.005, 0.01), (0.03, 0.01)])
def test_a_variant_without_loss_passes_at_the_number_of_samples_that_was_asked_for(rate: float, allowed: float) -> None:
    found = verdicts.asked(300, rate, allowed, draws=250)
    assert found["passed"] >= 0.8


@pytest.mark.parametrize("kind", ["normal", "heavy changes", "few change"])
def test_an_error_at_the_allowed_growth_passes_in_five_percent_at_most(kind: str) -> None:
    """Of 200 draws 18 are beyond five percent at a significance of 0.005; the benchmark draws 2,000."""
    assert verdicts.errors(kind, 200, 0.05, draws=200)["at_the_allowed"] <= 18 / 200
