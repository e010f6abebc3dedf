"""What a browser sends is taken as figures and short words, or not at all."""

import json

import pytest

from core.domain.browser_run import LONGEST, BrowserRun, sent
from core.domain.codec import decode, encode
from core.domain.errors import Refused

RECORDED = "0" * 64
SENT = {
    "verdict": "PASS",
    "reason": "",
    "samples": 56,
    "cases": 9,
    "recorded": 9,
    "max_abs": 1e-7,
    "max_rel": 1e-6,
    "flips": {"k": 0, "n": 56},
    "latency": {"runs": 100, "warm": 5, "batch": 1, "p50": 0.5, "p90": 0.7, "p99": 2.0, "tick": 0.1},
    "runtime": "1.30.0",
    "agent": "Mozilla/5.0",
    "cores": 8,
    "answers": RECORDED,
}


def test_a_run_survives_json() -> None:
    run = sent(SENT, RECORDED)
    assert decode(BrowserRun, json.loads(json.dumps(encode(run)))) == run
    assert sent({**SENT, "flips": None}, RECORDED).flips is None


def test_words_are_cut() -> None:
    run = sent({**SENT, "agent": "x" * 10_000, "reason": "y" * 10_000}, RECORDED)
    assert (len(run.agent), len(run.reason)) == (LONGEST, LONGEST)


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "FINE"},
        {"max_abs": None},
        {"max_abs": float("nan")},
        {"max_abs": -1},
        {"samples": "many"},
        {"samples": -1},
        {"cores": 1e300},
        {"flips": {"k": 3, "n": 2}},
        {"flips": [0, 1]},
        {"latency": {}},
        {"latency": None},
        {"latency": {**SENT["latency"], "p99": float("inf")}},  # type: ignore[dict-item]
    ],
)
def test_what_is_no_figure_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Refused):
        sent({**SENT, **change}, RECORDED)


def test_a_missing_key_is_refused() -> None:
    with pytest.raises(Refused):
        sent({key: value for key, value in SENT.items() if key != "agent"}, RECORDED)
