"""Speed and memory through the real sandbox, one measurement at a time on a machine."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.calls import footprint, probe, race
from core.calls.bench import Bench
from core.domain.artifact import Signature
from core.domain.errors import Cancelled
from core.domain.overhead import Pace
from core.domain.work import Golden, Model, Recording
from core.sandbox.exclusive import lock_file, measuring
from core.sandbox.tools import Tools
from tests.proof.layered import chain

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="the jail and the mark are Linux's")


def stored(tools: Tools, path: Path) -> Model:
    """Put an ONNX file in the store."""
    blob = tools.blobs.put(path)
    return Model(blob.sha256, blob.size, "onnx")


def test_a_race_in_the_jail(tools: Tools, tmp_path: Path) -> None:
    bench = Bench(tools)
    six, twelve = (stored(tools, chain(n, 96, tmp_path / f"{n}.onnx")) for n in (6, 12))
    golden = probe.ask(bench, six, None)
    alike, slower = race.ask(bench, six, six, golden, batch=8, seconds=4), race.ask(bench, six, twelve, golden, 8, 4)
    assert 1 / 1.05 < alike.ratio < 1.05
    assert alike.low < 1.05
    assert alike.high > 1 / 1.05
    assert slower.pace is Pace.SLOWER
    assert slower.high < 0.9
    assert (slower.batch, slower.threads) == (8, 1)


def test_a_footprint_in_the_jail(tools: Tools, tmp_path: Path) -> None:
    bench = Bench(tools)
    little, heavy = (stored(tools, chain(1, width, tmp_path / f"{width}.onnx")) for width in (8, 3300))
    small, large = (footprint.ask(bench, model, probe.ask(bench, model, None)) for model in (little, heavy))
    assert large.loaded - small.loaded >= 40
    assert large.load_peak >= large.loaded - 4
    assert (large.runs, large.batch) == (3, 1)
    assert 0 < small.peak < 40


def test_a_second_measurement_waits_for_its_turn(tmp_path: Path) -> None:
    path, told, order = tmp_path / "lock", [], []
    first = measuring(threading.Event(), lambda: told.append("first"), path)

    def second() -> None:
        with measuring(threading.Event(), lambda: told.append("second"), path):
            order.append("second")

    thread = threading.Thread(target=second)
    with first:
        thread.start()
        time.sleep(0.5)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert told == ["second"]


def test_who_waits_can_be_cancelled(tools: Tools, tmp_path: Path) -> None:
    told: list[str] = []
    tools = replace(tools, progress=lambda fraction, text: told.append(text), cancel=threading.Event())
    nobody = Golden("0" * 64, Recording((), Signature(), {}, False, ""), "0" * 64)
    with measuring(threading.Event(), lambda: None):
        threading.Timer(0.3, tools.cancel.set).start()
        with pytest.raises(Cancelled):
            footprint.ask(Bench(tools), stored(tools, chain(1, 8, tmp_path / "m.onnx")), nobody)
    assert told == ["Waiting for another measurement on this machine to end"]
    assert lock_file().stat().st_mode & 0o077 == 0
