"""A race of two files: equal files come out equal, more work comes out slower, and the interval is what it claims to be."""

import math
import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.domain.codec import Malformed, decode, encode
from core.domain.overhead import Latency, Pace, Race
from core.domain.runtime import Session
from core.proof import speed
from core.proof.speed import interval, race
from core.runtimes import runtime_for
from tests.converters import small
from tests.proof.layered import chain

WIDTH, BATCH = 96, 8


def opener(path: Path, format: str = "onnx") -> Callable[[], Session]:
    """Return the call that opens a file."""
    return runtime_for(format).opener(path, format, {})


@pytest.fixture(scope="module")
def inputs() -> dict[str, Any]:
    return {"x0": np.random.default_rng(1).standard_normal((BATCH, WIDTH)).astype(np.float32)}


def test_a_file_is_as_fast_as_itself(tmp_path: Path, inputs: dict[str, Any]) -> None:
    file = opener(chain(6, WIDTH, tmp_path / "six.onnx"))
    told: list[str] = []
    found = race(file, file, inputs, BATCH, 7, 6, lambda fraction, text: told.append(text))
    assert 1 / 1.05 < found.ratio < 1.05
    assert found.low < 1.05
    assert found.high > 1 / 1.05
    assert told[0] == "Timing: pair 1 of 24"
    assert (found.batch, found.threads) == (BATCH, 1)


def test_twice_the_layers_are_slower_and_half_of_them_faster(tmp_path: Path, inputs: dict[str, Any]) -> None:
    six, twelve = (opener(chain(n, WIDTH, tmp_path / f"{n}.onnx")) for n in (6, 12))
    slower, faster = race(six, twelve, inputs, BATCH, 7, 4), race(twelve, six, inputs, BATCH, 7, 4)
    assert slower.pace is Pace.SLOWER
    assert slower.high < 0.9
    assert faster.pace is Pace.FASTER
    assert faster.low > 1.1
    assert slower.parent.cpu_p50 < slower.variant.cpu_p50
    assert 0 < slower.variant.least <= slower.variant.p50 <= slower.variant.p95 <= slower.variant.p99
    assert decode(Race, encode(slower)) == slower


def test_any_runtime_can_race(tmp_path: Path) -> None:
    file = opener(small.save_script("words", tmp_path / "m.pt"), "torchscript")
    session = file()
    (name,) = (spec.name for spec in session.signature.inputs)
    found = race(file, file, {name: np.zeros((1, 12), np.int64)}, 1, 7, 0)
    assert 0.5 < found.ratio < 2
    assert found.sessions == 4, "no time at all still buys the fewest pairs"
    assert found.rounds >= 12


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(30):
        centres = 0.1 + 0.01 * rng.standard_normal(12)
        centre, low, high = interval([c + 0.02 * rng.standard_t(3, 20) for c in centres], trial)
        assert low <= centre <= high
        held += low <= 0.1 <= high
    assert held >= 26, f"{held} of 30 intervals of 95 % hold the truth"


def test_a_disturbed_session_widens_the_interval_and_leaves_the_ratio() -> None:
    rounds = [np.linspace(-0.001, 0.001, 40)] * 11
    _, low, high = interval(rounds, 0)
    centre, wide_low, wide_high = interval([*rounds, np.full(40, 0.2)], 0)
    assert high - low < 0.001
    assert wide_high - wide_low > high - low
    assert abs(centre) < 1e-9
    assert interval([*rounds, *[np.full(40, 0.2)] * 6], 0)[2] > 0.1


@pytest.mark.parametrize(
    ("low", "high", "pace"),
    [
        (1.011, 1.2, "faster"),
        (0.8, 0.98, "slower"),
        (0.995, 1.009, "same"),
        (1.005, 1.2, "unclear"),
        (0.9, 1.1, "unclear"),
    ],
)
def test_the_verdict_is_read_off_the_interval(low: float, high: float, pace: str) -> None:
    assert Pace.of(low, high) == pace


def test_a_ratio_that_is_no_number_is_no_race() -> None:
    times = Latency(1, 1, 1, 1, 1)
    honest = Race(1.0, 1.0, 1.0, 1, 1, 1, 1, 1, 1.0, times, times)
    with pytest.raises(ValueError, match="positive number"):
        replace(honest, ratio=float("nan"))
    with pytest.raises(Malformed):
        decode(Race, {**encode(honest), "ratio": "nan"})


def test_only_short_calls_get_more_rounds() -> None:
    def busy(seconds: float) -> None:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    for seconds, rounds in ((2e-3, speed.ROUNDS), (2e-5, speed.MOST_ROUNDS)):
        pair = [partial(busy, seconds)] * 2
        assert len(speed._rounds(pair, 1, math.inf, random.Random(0))) == rounds
