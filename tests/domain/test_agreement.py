"""The bounds of a share hold at every time of looking, and a verdict is what they say."""

import random

import pytest

from core.domain.agreement import LEVEL, Agreement
from core.domain.report import Verdict

ALLOWED = 0.05


def decided(share: float, dice: random.Random, most: int) -> tuple[Verdict, int]:
    """Look after every request until it is decided."""
    differ = 0
    for compared in range(1, most + 1):
        differ += dice.random() < share
        if (verdict := Agreement(compared, differ, ALLOWED).verdict) is not Verdict.NOT_PROVEN:
            return verdict, compared
    return Verdict.NOT_PROVEN, most


def test_looking_after_every_request_is_wrong_no_more_often_than_it_says() -> None:
    dice = random.Random(7)
    for verdict, share in ((Verdict.PASS, 0.0501), (Verdict.FAIL, ALLOWED)):
        wrong = sum(decided(share, dice, 600)[0] is verdict for _ in range(300))
        assert wrong <= 300 * LEVEL, (verdict, wrong)


def test_what_is_far_from_the_bound_is_decided_soon() -> None:
    dice = random.Random(8)
    shifted = [decided(1 / 3, dice, 600) for _ in range(50)]
    assert {verdict for verdict, _ in shifted} == {Verdict.FAIL}
    assert sum(n for _, n in shifted) / 50 < 20
    assert decided(0.0, dice, 600) == (Verdict.PASS, 89)


@pytest.mark.parametrize(("compared", "differ"), [(1, 0), (1, 1), (89, 0), (40, 3), (2000, 100), (2000, 2000)])
def test_the_interval_and_the_verdict_say_the_same(compared: int, differ: int) -> None:
    found = Agreement(compared, differ, ALLOWED)
    assert 0 <= found.low <= differ / compared <= found.high <= 1
    for share in (found.low - 1e-9, found.high + 1e-9):
        if 0 < share < 1:
            assert Agreement(compared, differ, share).verdict is not Verdict.NOT_PROVEN
    for share in (found.low + 1e-9, found.high - 1e-9):
        if 0 < share < 1:
            assert Agreement(compared, differ, share).verdict is Verdict.NOT_PROVEN


def test_nothing_is_known_of_nothing() -> None:
    none = Agreement(0, 0, ALLOWED)
    assert (none.low, none.high, none.verdict) == (0.0, 1.0, Verdict.NOT_PROVEN)
