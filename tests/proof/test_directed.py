"""Pairs of ONNX files that differ where nobody looks by accident: a proof without data must find each, and must pass the pair of equals."""

import contextlib
from pathlib import Path

import numpy as np
import onnx
import pytest

from core.domain.errors import Refused
from core.domain.report import Parity, Verdict
from core.domain.transform import Tolerance
from core.onnx.landmarks import landmarks
from core.proof import golden, parity, probes
from core.runtimes import runtime_for
from tests.proof.planted import F4, PAIRS, STEPS, model, pair

TOLERANCE = Tolerance(1e-4, 1e-4)


def proof(source: onnx.ModelProto, target: onnx.ModelProto, folder: Path) -> Parity:
    """Record one file without data and compare the other with it, then also where only the other has constants."""
    paths = folder / "a.onnx", folder / "b.onnx"
    for path, one in zip(paths, (source, target), strict=True):
        onnx.save(one, path)
    runtime = runtime_for("onnx")
    known, other = (runtime.landmarks(path, "onnx") for path in paths)
    probes.record(runtime.open(paths[0], "onnx"), 7, None, folder / "g.npz", "", known)
    found = parity.compare(runtime.open(paths[1], "onnx"), folder / "g.npz", TOLERANCE, 7)
    if found.verdict is Verdict.FAIL or not (own := other.beyond(known)):
        return found
    probes.record_beyond(runtime.open(paths[0], "onnx"), 7, folder / "b.npz", "", own)
    beyond = parity.compare(runtime.open(paths[1], "onnx"), folder / "b.npz", TOLERANCE, 7)
    return beyond if beyond.verdict is Verdict.FAIL or beyond.bounded else found


@pytest.mark.parametrize("name", PAIRS)
def test_a_difference_at_a_constant_of_the_graph_is_found_without_data(name: str, tmp_path: Path) -> None:
    assert proof(*pair(name), tmp_path).verdict is not Verdict.PASS


@pytest.mark.parametrize("name", PAIRS)
def test_the_same_graph_passes(name: str, tmp_path: Path) -> None:
    right, _ = pair(name)
    found = proof(right, right, tmp_path)
    assert found.verdict is Verdict.PASS, found.reason


def test_a_source_that_answers_otherwise_each_time_is_not_proven(tmp_path: Path) -> None:
    noisy = model(F4 + "{ n = RandomNormalLike(x) y = Add(x, n) }", {})
    found = proof(noisy, noisy, tmp_path)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "does not give the same answer twice" in found.reason


def test_whole_numbers_beyond_32_bits_bound_a_verdict_and_do_not_fail_it(tmp_path: Path) -> None:
    text = "(int64[N,1] x) => (int64[N,1] y) { c = Constant<value_ints = [97]>() y = Mod(x, c) }"
    narrow = text.replace("y = Mod(x, c)", "s = Cast<to = 6>(x) d = Cast<to = 7>(s) y = Mod(d, c)")
    found = proof(model(text, {}), model(narrow, {}), tmp_path)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "only within bounds: on 'beyond 32 bits'" in found.reason


def test_the_ends_of_32_bits_bound_a_verdict_too(tmp_path: Path) -> None:
    text = "(int32[N,1] x) => (int64[N,1] y) { w = Cast<to = 7>(x) c = Constant<value_ints = [1]>() y = Add(w, c) }"
    narrow = text.replace("w = Cast<to = 7>(x) c = Constant<value_ints = [1]>() y = Add(w, c)",
                          "c = Constant<value = int32 {1}>() w = Add(x, c) y = Cast<to = 7>(w)")  # fmt: skip
    found = proof(model(text, {}), model(narrow, {}), tmp_path)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "only within bounds: on 'the ends of 32 bits'" in found.reason


def test_whole_numbers_that_floats_do_not_tell_apart_bound_a_verdict(tmp_path: Path) -> None:
    text = "(int64[N,3] x, int64[N,3] z) => (bool[N,3] y) { y = Less(x, z) }"
    floats = text.replace("y = Less(x, z)", "a = Cast<to = 1>(x) b = Cast<to = 1>(z) y = Less(a, b)")
    found = proof(model(text, {}), model(floats, {}), tmp_path)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "only within bounds: on 'beyond 24 bits'" in found.reason


def test_large_numbers_are_asked_also_where_others_beside_them_overflow(tmp_path: Path) -> None:
    text = "(int64[N,2] x) => (float[N,2] y) { h = Cast<to = 10>(x) y = Cast<to = 1>(h) }"
    found = proof(model(text, {}), model(text.replace("h = Cast<to = 10>(x)", "h = Cast<to = 1>(x)"), {}), tmp_path)
    assert found.verdict is Verdict.FAIL
    assert "'whole numbers'" in found.reason


def test_an_answer_without_fractions_counts_at_the_ends_of_32_bits_though_another_overflows(tmp_path: Path) -> None:
    text = (
        "(int64[N,2] x) => (bool[N,2] y, float[N,2] z) { n = Neg(x) h = Cast<to = 10>(n) "
        "c = Constant<value = float16 {13041}>() y = LessOrEqual(h, c) z = Cast<to = 1>(h) }"
    )
    narrow = text.replace("n = Neg(x)", "s = Cast<to = 6>(x) m = Neg(s) n = Cast<to = 7>(m)")
    found = proof(model(text, {}), model(narrow, {}), tmp_path)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "only within bounds: on 'the ends of 32 bits'" in found.reason


def test_sums_beyond_32_bits_and_the_first_numbers_behind_them_are_asked(tmp_path: Path) -> None:
    one = model("(int64[N,4] x) => (int64[N,1] y) { y = ReduceSum<keepdims = 1>(x) }", {})
    proof(one, one, tmp_path)
    recorded = golden.read(tmp_path / "g.npz")
    sums = [
        abs(recorded.case_inputs(n)["x"].astype(float).sum(axis=1)).max()
        for n, case in enumerate(recorded.cases)
        if case.name == "the ends of 32 bits"
    ]
    assert max(sums) > 2**32 - 4
    beyond = [recorded.case_inputs(n)["x"] for n, case in enumerate(recorded.cases) if case.name == "beyond 32 bits"]
    assert any(2**31 in array and 2**32 - 1 in array for array in beyond)


def test_many_small_samples_are_asked_far_from_the_mean(tmp_path: Path) -> None:
    """An activation may be inexact in a narrow window alone."""
    one = model(F4 + "{ y = Tanh(x) }", {})
    proof(one, one, tmp_path)
    far = [case.samples for case in golden.read(tmp_path / "g.npz").cases if case.what in ("wide", "large")]
    assert far == [96, 96]


MASK = (
    "(int64[N,4] mask, float[N,4] x) => (float[N,4] y) { f = Cast<to = 1>(mask) c = Constant<value_float = 1.0>() "
    "o = Sub(c, f) b = Constant<value_float = -10000.0>() m = Mul(o, b) y = Add(x, m) }"
)


def test_a_mask_is_no_number_to_reckon_with() -> None:
    assert landmarks(model(MASK, {})).wide == set()


def test_sizes_are_asked_first_and_the_smallest_before_all(tmp_path: Path) -> None:
    one = model(STEPS + "{ y = ReduceMean<axes = [1], keepdims = 0>(x) }", {})
    found = proof(one, one, tmp_path)
    assert found.checks[0].name == "sizes"
    first = golden.read(tmp_path / "g.npz")
    assert first.case_inputs(0)["x"].shape == (3, 1, 2)


def test_it_is_told_where_missing_numbers_could_not_be_compared(tmp_path: Path) -> None:
    one = model(F4 + "{ y = Tanh(x) }", {})
    assert "samples 'missing numbers'" in proof(one, one, tmp_path).reason
    total = model("(float[N,4] x) => (float[N,1] y) { y = ReduceMean<axes = [1]>(x) }", {})
    assert "Not compared, 4 samples 'missing numbers': The source's own answer" in proof(total, total, tmp_path).reason


def test_what_a_verdict_tried_is_told(tmp_path: Path) -> None:
    right, _ = pair("a lost row of an embedding")
    assert "500 of 500 ids of 'x'" in proof(right, right, tmp_path).reason


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        ("t = Constant<value_float = 40.0>() c = Less(x, t) y = Cast<to = 1>(c)", {40.0}),
        ("a = Constant<value_float = 3.0>() m = Mul(x, a) t = Constant<value_float = 12.0>() y = Min(m, t)", {4.0}),
        ("a = Constant<value_float = 3.0>() m = Sub(a, x) y = Relu(m)", {3.0}),
        ("e = Exp(x) t = Constant<value_float = 1.0>() y = Max(e, t)", {0.0}),
        ("r = Reshape(x, s) t = Constant<value_float = 7.0>() y = Min(r, t)", {7.0}),
    ],
)
def test_a_constant_is_taken_back_to_the_input(body: str, numbers: set[float]) -> None:
    found = landmarks(model(F4 + "{ " + body + " }", {"s": np.array([-1, 4])} if "Reshape" in body else {}))
    assert numbers <= {round(n, 9) for side in (found.exact, found.near) for n in side.get("x", ())}


def test_an_input_that_says_how_large_a_result_is_gets_no_large_numbers() -> None:
    found = landmarks(
        model(
            "(int64[1] n) => (float[M] y) { c = Constant<value_ints = [2]>() m = Mul(n, c) y = ConstantOfShape(m) }", {}
        )
    )
    assert found.wide == {"n"} == found.sizing


@pytest.mark.parametrize(
    "text",
    [
        "(float[3,4] x, string[1] like) => (string[3,4] y) { y = CastLike(x, like) }",
        "(float[0,3,4] x) => (float[0,12] y) { s = Constant<value_ints = [0, 12]>() y = Reshape<allowzero = 1>(x, s) }",
    ],
)
def test_odd_shapes_end_in_a_verdict_or_in_words(text: str, tmp_path: Path) -> None:
    one = model(text, {})
    with contextlib.suppress(Refused):
        assert proof(one, one, tmp_path).verdict in (Verdict.PASS, Verdict.NOT_PROVEN)
