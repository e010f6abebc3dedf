"""What measures found: the interval is the library's, the worst verdict counts, sums are sums, and all survives its JSON."""

import json
import math

import pytest
from scipy.stats import binomtest

from core.domain.codec import decode, encode
from core.domain.report import Check, Count, Parity, Quality, Verdict
from core.domain.transform import Tolerance

PASS, OPEN, FAIL = Verdict.PASS, Verdict.NOT_PROVEN, Verdict.FAIL


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 10), (1, 10), (5, 10), (9, 10), (10, 10), (474, 511)])
def test_the_interval_is_wilsons(k: int, n: int) -> None:
    wanted = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert Count(k, n).interval == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_nothing_counted_says_nothing() -> None:
    assert Count(0, 0).interval == (0.0, 1.0)


@pytest.mark.parametrize("n", [1, 7, 1000])
def test_the_interval_ends_where_all_or_none_were_counted(n: int) -> None:
    assert Count(0, n).interval[0] == 0.0
    assert Count(n, n).interval[1] == 1.0


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ([], OPEN),
        ([PASS], PASS),
        ([PASS, OPEN], OPEN),
        ([OPEN, FAIL, PASS], FAIL),
        ([PASS, PASS], PASS),
    ],
)
def test_the_worst_verdict_counts(verdicts: list[Verdict], worst: Verdict) -> None:
    assert Verdict.worst(verdicts) is worst


def check(name: str, largest: float, decibels: float | None, flips: Count | None) -> Check:
    """A comparison that passed."""
    return Check(name, 32, largest, 2 * largest, decibels, flips, PASS, "told", (0.1, 0.2, 0.3))


def test_a_proof_sums_up_its_checks() -> None:
    checks = (
        check("random", 0.5, 40.0, Count(1, 32)),
        check("edge", 0.25, 30.0, None),
        check("data", 0.1, None, Count(2, 50)),
    )
    proof = Parity(PASS, checks, Tolerance(1e-4, 1e-3), 7)
    assert (proof.max_abs, proof.max_rel, proof.sqnr_db, proof.top1_flips) == (0.5, 1.0, 30.0, Count(3, 82))


def test_a_proof_without_checks_knows_no_difference() -> None:
    proof = Parity(OPEN, (), Tolerance(1e-4, 1e-3), 7)
    assert math.isnan(proof.max_abs)
    assert math.isnan(proof.max_rel)
    assert (proof.sqnr_db, proof.top1_flips) == (None, None)


def test_a_proof_survives_its_json() -> None:
    checks = (check("random", math.inf, None, None), check("data", 0.25, 30.0, Count(1, 50)))
    proof = Parity(FAIL, checks, Tolerance(1e-4, 1e-3), 7, {"numpy": "2"}, "a machine, 2 cores", "Conv 'c'", "because")
    value = json.loads(json.dumps(encode(proof), allow_nan=False))
    assert decode(Parity, value) == proof
    assert {key: value[key] for key in ("verdict", "max_abs", "max_rel", "sqnr_db", "seed")} == {
        "verdict": "FAIL",
        "max_abs": "inf",
        "max_rel": "inf",
        "sqnr_db": 30.0,
        "seed": 7,
    }
    assert value["top1_flips"] == {"k": 1, "n": 50, "interval": list(Count(1, 50).interval)}
    assert value["tolerance"] == {"absolute": 1e-4, "relative": 1e-3, "flips": 0.0}
    assert encode(Parity(OPEN, (), Tolerance(0.0, 0.0), 1))["top1_flips"] is None


def test_a_check_that_was_written_down_before_it_told_details_is_read() -> None:
    value = encode(check("data", 0.25, None, None))
    del value["detail"], value["percentiles"]
    found = decode(Check, value)
    assert (found.detail, found.percentiles) == ("", ())


def test_a_quality_survives_its_json() -> None:
    classes = {"cat": Count(3, 4), "dog": Count(1, 2)}
    for quality in (Quality("accuracy", 4 / 6, 6, Count(4, 6), classes), Quality("RMSE", 0.5, 6)):
        value = json.loads(json.dumps(encode(quality)))
        assert decode(Quality, value) == quality
    old = {"metric": "RMSE", "value": 0.5, "samples": 6, "correct": None}
    assert decode(Quality, old) == Quality("RMSE", 0.5, 6)
