"""The report card of a model, through the real sandbox and on the command line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.calls import curves, probe, timing
from core.calls.bench import Bench
from core.domain.errors import Refused
from core.domain.format import Summary
from core.domain.limits import MB
from core.domain.percentile import percentiles
from core.domain.profile import ProfileRequest, Timing
from core.domain.work import Data, Model, Subject
from core.doors import commands
from core.sandbox.tools import Tools
from core.techniques import TECHNIQUES
from core.verbs import profile
from tests.conftest import SAMPLES
from tests.proof.layered import chain

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="the jail and the mark are Linux's")


def test_the_command_prints_a_report_card(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(profile, "TIMING_SECONDS", 0.5)
    code = commands.main(
        ["profile", str(SAMPLES / "fashion_cnn" / "model.onnx"), "--batch", "8", "--deadline", "1000", "--json"]
    )
    card = json.loads(capsys.readouterr().out)
    assert code == 0, card
    assert (card["format"], card["timing"]["batch"], card["conditions"]["threads"]) == ("onnx", 8, 1)
    assert card["memory"]["load_peak"] > card["memory"]["loaded"] - 1 > 0
    assert 0 < card["real_time"]["safe_rate"] < card["real_time"]["capacity"]
    assert all(one["money"] > 0 for one in card["estimates"])
    assert card["start"]["imported"] > 0.02, "the runtime was there before its import was timed"
    assert card["start"]["runs"] == card["memory"]["runs"] == 3
    assert card["timing"]["cpu_low"] <= card["timing"]["cpu"] <= card["timing"]["cpu_high"]
    assert (card["macs"]["agree"], card["macs"]["batch"]) == (True, 8)
    assert card["macs"]["ran"]["macs"] == 8 * 4_331_488
    nodes = card["operators"]["nodes"]
    as_written, served = card["macs"]["ran"]["operators"], {"Conv": 0, "Gemm": 0}
    for one in nodes:
        served["Gemm" if "Gemm" in one["kind"] else "Conv"] += one["macs"]
    assert served["Gemm"] == as_written["Gemm"]
    assert as_written["Conv"] <= served["Conv"] < 1.5 * as_written["Conv"], "channels are padded to whole vectors"
    assert 0.3 < card["operators"]["inside"] <= 1
    assert card["operators"]["weights"] > 500_000
    assert card["advice"]["technique"] in (None, *(one.id for one in TECHNIQUES))
    parts = {one["name"]: one["megabytes"] for one in card["owners"]}
    assert parts["Python"] > 5
    assert parts["Runtime"] > 5
    inside = sum(parts.values()) - parts["Python"] - parts["Runtime"]
    assert inside == pytest.approx(card["memory"]["inference_peak"], abs=0.01)
    assert parts["Weights"] == pytest.approx(card["operators"]["weights"] / MB)
    (p99,) = (one for one in card["timing"]["percentiles"] if one["share"] == 0.99)
    assert (p99["value"] is None) == (card["timing"]["runs"] < 662)


def test_more_work_takes_more_time_and_few_calls_carry_no_percentile(tools: Tools, tmp_path: Path) -> None:
    bench, found = Bench(tools), []
    for width in (16, 900):
        blob = tools.blobs.put(chain(4, width, tmp_path / f"{width}.onnx"))
        model = Model(blob.sha256, blob.size, "onnx")
        found.append(timing.ask(bench, model, probe.ask(bench, model, None), batch=64, seconds=0.4))
    small, large = found
    assert large.cpu_low > 5 * small.cpu_high
    assert large.runs < 662
    assert large.percentiles[-1].missing == 662 - large.runs


def test_a_call_grows_with_its_samples_and_the_limit_chooses(tools: Tools, tmp_path: Path) -> None:
    blob = tools.blobs.put(chain(4, 256, tmp_path / "m.onnx"))
    bench, model = Bench(tools), Model(blob.sha256, blob.size, "onnx")
    found = curves.ask(bench, model, probe.ask(bench, model, None), batch=4, seconds=0.1)
    assert [one.batch for one in found.batches] == [1, 2, 4, 8, 16, 32]
    assert {one.batch for one in found.threads} <= {4}
    first, last = found.batches[0], found.batches[-1]
    assert 1 < last.latency / first.latency < 32
    assert found.sweet(first.latency / 1e3) is None
    best = found.sweet(1e6)
    assert best is not None
    assert best.rate == max(one.rate for one in (*found.batches, *found.threads))


@pytest.mark.parametrize(("batch", "threads"), [(0, 1), (1, 0), (5000, 1)])
def test_settings_out_of_bounds_are_refused(batch: int, threads: int) -> None:
    with pytest.raises(Refused, match="out of bounds"):
        profile.normal(ProfileRequest(Subject("0" * 64, 1, "onnx", "m"), batch=batch, threads=threads))


def test_random_inputs_to_a_model_that_decides_by_values_are_a_doubt() -> None:
    subject = Subject("0" * 64, 1, "onnx", "m")
    quiet = Timing(1, 1, 100, 4, 2.0, 1.9, 2.1, 2.2, 1.9, percentiles([2.0] * 100), 1.05)
    deciding, plain = (Summary("onnx", operators={name: 1}) for name in ("NonMaxSuppression", "Conv"))
    (doubt,) = profile.doubts(ProfileRequest(subject), deciding, quiet)
    assert "NonMaxSuppression" in doubt
    assert profile.doubts(ProfileRequest(subject), plain, quiet) == ()
    assert profile.doubts(ProfileRequest(subject, Data("1" * 64, "x.npz")), deciding, quiet) == ()
    busy, torn = replace(quiet, interference=2.0), replace(quiet, cpu_high=9.0)
    assert [len(profile.doubts(ProfileRequest(subject), plain, one)) for one in (busy, torn)] == [1, 1]
    (other,) = profile.doubts(ProfileRequest(subject, batch=4), plain, quiet)
    assert other.startswith("The model takes 1 samples")
