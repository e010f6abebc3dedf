"""What is told of weights before and after a technique, and of what the engine runs."""

from pathlib import Path
from typing import Any

import pytest

from core.domain.codec import decode, encode
from core.domain.measures import KernelCounts, Sizes
from core.domain.overhead import Kernels, Latency, Race
from core.domain.report import Quality
from core.domain.technique import Claim
from core.domain.weight_change import WeightChange
from core.proof import kernels, quality, weights
from core.runtimes import RUNTIMES
from core.verbs.shortfalls import causes
from tests.techniques.samples import apply, sample

FASHION = sample("fashion_cnn")


def told(path: Path) -> dict[str, WeightChange]:
    """The changes of the shipped network, by the tensor's name."""
    found = weights.changes(FASHION.source, path)
    assert [decode(WeightChange, encode(one)) for one in found] == found
    return {one.name: one for one in found}


def test_the_same_file_has_not_moved() -> None:
    for one in told(FASHION.source).values():
        assert one.moved == 0
        assert one.shape == one.shape_after
        assert one.bytes_before == one.bytes_after
        assert one.histogram
        assert one.histogram.before == one.histogram.after
        assert sum(one.histogram.before) == pytest.approx(one.values, rel=0.5)


@pytest.mark.parametrize(
    ("technique", "options", "most"),
    [("codebooks", {"bits": 4}, 16), ("static_int8", {"weight_bits": 4}, 112 * 16), ("float16", {}, 2**16)],
)
def test_stored_bytes_and_values_are_those_of_the_file(
    tmp_path: Path, technique: str, options: dict[str, Any], most: int
) -> None:
    path = apply(technique, FASHION.source, tmp_path / "small.onnx", FASHION.calibration, **options)
    one = told(path)["head.1.weight"]
    assert one.values is not None
    assert one.bytes_after is not None
    assert one.moved is not None
    assert one.values <= most
    assert 0 < one.moved < 0.3
    assert one.bytes_after < path.stat().st_size < FASHION.source.stat().st_size
    assert one.shape_after == one.shape


def test_pruned_split_and_integer_tensors_are_told(tmp_path: Path) -> None:
    pruned = told(apply("prune_magnitude", FASHION.source, tmp_path / "pruned.onnx", share=0.5))["head.1.weight"]
    assert pruned.zeros
    assert 0.4 < pruned.zeros / (112 * 864) < 0.8
    split = told(apply("low_rank", FASHION.source, tmp_path / "low.onnx", FASHION.calibration))["head.1.weight"]
    assert split.shape_after != split.shape
    assert split.moved is None
    assert split.bytes_after
    assert split.bytes_after > 4 * 112 * (split.shape_after or (0, 0))[1]
    whole = told(apply("dynamic_int8", FASHION.source, tmp_path / "whole.onnx"))["head.1.weight"]
    assert whole.bytes_after
    assert whole.bytes_after < whole.bytes_before / 3.5
    assert whole.histogram is None


def test_the_engine_runs_integers_only_where_the_file_says_so(tmp_path: Path) -> None:
    plain = kernels.count(FASHION.source)
    assert (plain.integer, plain.floating) == (0, 5)
    shared = kernels.count(apply("codebooks", FASHION.source, tmp_path / "shared.onnx", bits=4))
    assert (shared.integer, shared.floating) == (0, 5)
    static = kernels.count(apply("static_int8", FASHION.source, tmp_path / "static.onnx", FASHION.calibration))
    assert (static.integer, static.floating) == (5, 0)
    assert decode(Kernels, encode(static)) == static


def race(low: float, high: float) -> Race:
    """A race with an interval."""
    latency = Latency(1.0, 1.0, 1.0, 1.0, 1.0)
    return Race((low + high) / 2, low, high, 50, 2, 1, 1, 1, 1.0, latency, latency)


def test_what_is_no_smaller_and_no_faster_is_said_with_its_cause() -> None:
    dense = [WeightChange("w", (10, 100), (10, 100), 4000, 4000, 500, 501, 0.1, None)]
    size = Sizes(5000, 5500, 5000, 5500)
    floats = Kernels(0, 5, 0, 12)
    told = list(causes(size, dense, race(0.7, 0.8), KernelCounts(floats, floats), Claim.SIZE))
    assert [one.worse for one in told] == [True, True]
    assert "50% of the weights are zero, yet each weight still takes 4.0 bytes" in told[0].text
    assert "everything else 1,500 instead of 1,000" in told[0].text
    assert "slower" in told[1].text
    assert "the same 5 products" in told[1].text
    small = Sizes(5000, 500, 5000, 500)
    assert not list(causes(small, dense, race(1.3, 1.5), KernelCounts(floats, floats), Claim.SIZE))
    same = list(causes(small, dense, race(0.995, 1.005), KernelCounts(floats, Kernels(5, 0, 2, 14)), Claim.LATENCY))
    assert same[0].worse
    assert "5 of its 5 products in integers, with 2 conversions" in same[0].text


def test_each_class_is_counted() -> None:
    session = RUNTIMES["onnxruntime"].open(FASHION.source, "onnx")
    found = quality.evaluate(session, FASHION.test)
    assert found.correct
    assert sum(count.k for count in found.classes.values()) == found.correct.k
    assert sum(count.n for count in found.classes.values()) == found.correct.n
    assert len(found.classes) == 10
    assert decode(Quality, encode(found)) == found
