"""Memory by the kernel's mark: it sees what was held for a moment, and not what was held before."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.domain.codec import decode, encode
from core.domain.limits import MB
from core.domain.overhead import Footprint, apart
from core.proof.memory import footprint, give_back, residence, rise
from core.runtimes import runtime_for
from tests.proof.layered import chain

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="the mark is Linux's")
NEAR = 4
"""Megabytes that libraries may add."""
BEHIND = 1
"""Megabytes that the kernel's counters may be behind."""


def held(megabytes: int) -> mmap.mmap:
    """Return pages that the process holds."""
    pages = mmap.mmap(-1, megabytes * MB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages[:: mmap.PAGESIZE] = b"\1" * (len(pages) // mmap.PAGESIZE)
    return pages


def test_a_moment_is_seen_below_an_older_mark() -> None:
    held(100).close()
    assert residence().highest - residence().now > 90 * MB
    _, small = rise(lambda: held(30).close())
    _, large = rise(lambda: held(60).close())
    _, nothing = rise(lambda: None)
    assert 30 - BEHIND <= small / MB < 30 + NEAR
    assert 60 - BEHIND <= large / MB < 60 + NEAR
    assert nothing / MB < NEAR


def test_what_stays_is_in_the_residence() -> None:
    before = residence()
    pages, _ = rise(lambda: held(50))
    assert 50 - BEHIND <= (residence().now - before.now) / MB < 50 + NEAR
    assert 50 - BEHIND <= (residence().anonymous - before.anonymous) / MB < 50 + NEAR
    pages.close()
    give_back()
    assert (residence().now - before.now) / MB < NEAR


def measured(path: Path, width: int) -> Footprint:
    """Return the footprint of an ONNX file in this process."""
    runtime = runtime_for("onnx")
    inputs: dict[str, Any] = {"x0": np.zeros((1, width), np.float32)}
    return footprint(path, runtime.packages, runtime.opener(path, "onnx", {}), inputs, 1)


def test_a_weight_of_40_mb_is_in_memory(tmp_path: Path) -> None:
    first, little, heavy = (measured(chain(1, width, tmp_path / f"{width}.onnx"), width) for width in (8, 8, 3300))
    assert first.loaded >= little.loaded - NEAR, "the first of a process also pays for the engine's code"
    assert heavy.file > 40
    assert heavy.loaded >= little.loaded + 40 - NEAR
    assert heavy.loaded >= 40
    assert heavy.load_peak >= heavy.loaded - NEAR
    assert heavy.peak == max(heavy.load_peak, heavy.inference_peak)
    assert abs(heavy.anonymous + heavy.mapped - heavy.loaded) < NEAR


def test_each_figure_is_the_median_of_the_runs() -> None:
    runs = [Footprint(4, loaded, 5, 1, peak, 7, 1) for loaded, peak in ((9, 20), (6, 30), (7, 10))]
    middle = Footprint.of(runs)
    assert (middle.loaded, middle.load_peak, middle.runs) == (7, 20, 3)
    assert middle.spread == (10, 30)
    assert apart(middle.spread, (31, 40))
    assert apart((31, 40), middle.spread)
    assert not apart(middle.spread, (30, 40))
    assert decode(Footprint, encode(middle)) == middle
