"""The proof: faults are found and named, rounding is not, and too little evidence is no PASS."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from core.domain.artifact import Signature, TensorSpec
from core.domain.codec import decode, encode
from core.domain.errors import Refused
from core.domain.report import Verdict
from core.domain.runtime import Domain, Session
from core.domain.technique import ANY
from core.domain.transform import Tolerance
from core.proof import divergence, golden, parity, probes, quality
from core.proof.dataset import Dataset
from core.runtimes import runtime_for
from tests.converters import small

EQUAL = Tolerance(1e-4, 1e-4)


class Formula(Session):
    """A session that is one NumPy function."""

    def __init__(self, call: Any, batch: int | str = "batch") -> None:
        self.signature = Signature((TensorSpec("x", "float32", (batch, 4)),))
        self.domains = {"x": Domain()}
        self._call = call

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return what the function makes of x."""
        return {"y": self._call(inputs["x"])}


def judged(tmp_path: Path, source: Any, target: Any, tolerance: Tolerance = EQUAL, **options: Any) -> Any:
    """Record one function and compare another with it."""
    probes.record(Formula(source, **options), 3, None, tmp_path / "g.npz")
    return parity.compare(Formula(target, **options), tmp_path / "g.npz", tolerance, 3)


class Pair(Formula):
    """A session with a class, and whole numbers beside it."""

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return the sign of the first number, and what the function makes of all."""
        return {"label": (inputs["x"][:, 0] > 0).astype(np.int64), "more": self._call(inputs["x"])}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (lambda x: (x > 0).astype(np.int32), lambda x: (x >= -0.1).astype(np.int32)),
        (lambda x: x[:, :, None] > 0, lambda x: x[:, :, None] > -0.1),
        (lambda x: np.where(x > 0, "a", "b"), lambda x: np.where(x > -0.1, "a", "b")),
        (lambda x: x + 1j, lambda x: x + 1.01j),
    ],
)
def test_what_is_no_real_number_is_compared_too(tmp_path: Path, right: Any, wrong: Any) -> None:
    probes.record(Pair(right), 3, None, tmp_path / "g.npz")
    assert parity.compare(Pair(right), tmp_path / "g.npz", EQUAL, 3).verdict is Verdict.PASS
    assert parity.compare(Pair(wrong), tmp_path / "g.npz", EQUAL, 3).verdict is Verdict.FAIL


def test_a_rounding_that_goes_the_other_way_at_halves_is_found(tmp_path: Path) -> None:
    assert judged(tmp_path, np.rint, np.rint).verdict is Verdict.PASS
    assert judged(tmp_path, np.rint, lambda x: np.floor(x + np.float32(0.5))).verdict is Verdict.FAIL


@pytest.mark.parametrize("inputs", ["float x", ""])
def test_a_source_without_a_batch_is_compared(tmp_path: Path, inputs: str) -> None:
    """One number as the only input, and no input at all."""
    text = f"""<ir_version: 8, opset_import: ["" : 17]> small ({inputs}) => (float y)
        {{ w = Constant<value = float {{2.0}}>()  y = {"Mul(x, w)" if inputs else "Identity(w)"} }}"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    probes.record(runtime_for("onnx").open(tmp_path / "m.onnx", "onnx"), 3, None, tmp_path / "g.npz")
    session = runtime_for("onnx").open(tmp_path / "m.onnx", "onnx")
    assert parity.compare(session, tmp_path / "g.npz", EQUAL, 3).verdict is not Verdict.FAIL


def test_single_numbers_are_compared(tmp_path: Path) -> None:
    assert judged(tmp_path, lambda x: np.array(x.shape[0]), lambda x: np.array(x.shape[0])).verdict is Verdict.PASS
    assert judged(tmp_path, lambda x: np.array(x.shape[0]), lambda x: np.array(1)).verdict is Verdict.FAIL


def test_equal_answers_pass_with_their_evidence(tmp_path: Path) -> None:
    found = judged(tmp_path, np.sin, np.sin)
    assert found.verdict is Verdict.PASS
    assert (found.max_abs, found.sqnr_db) == (0.0, None)
    assert found.top1_flips.n >= 36
    assert found.versions["numpy"] == np.__version__
    assert "cores" in found.machine


def test_the_differences_are_told_with_their_distribution(tmp_path: Path) -> None:
    def off(x: Any) -> Any:
        return (x.astype(np.float64) * (1 + 1e-3)).astype(np.float32)

    found = judged(tmp_path, lambda x: x, off, Tolerance(1.0, 1.0))
    recorded = golden.read(tmp_path / "g.npz")
    (number,) = [n for n, case in enumerate(recorded.cases) if case.name == "random"]
    (x,) = recorded.case_inputs(number).values()
    exact = np.percentile(np.abs(off(x).astype(np.float64) - x), [50, 90, 99])
    (check,) = [check for check in found.checks if check.name == "random"]
    assert np.allclose(check.percentiles, exact, rtol=0.15)
    assert check.percentiles[2] <= check.max_abs
    assert decode(type(found), encode(found)) == found
    same = judged(tmp_path, np.sin, np.sin)
    assert {check.percentiles for check in same.checks} == {(0.0, 0.0, 0.0)}


@pytest.mark.parametrize(
    ("target", "word"),
    [
        (lambda x: x + np.float32(0.01), "numbers are beyond the tolerance"),
        (lambda x: x + np.float32(0.01) * np.eye(*x.shape, dtype=np.float32) * (len(x) == 1), "1 number is beyond"),
        (lambda x: x[:, :3], "shape"),
        (lambda x: x.astype(np.int64), "int64"),
        (lambda x: np.where(x > 2, np.nan, x), "not finite"),
        (lambda x: x[:, ::-1], "predictions changed"),
        (lambda x: x[99], "rejects"),
    ],
)
def test_every_kind_of_difference_fails(tmp_path: Path, target: Any, word: str) -> None:
    found = judged(tmp_path, lambda x: x, target)
    assert found.verdict is Verdict.FAIL
    assert word in " ".join(check.detail for check in found.checks)


def test_a_tie_within_the_tolerance_is_shown_and_does_not_fail(tmp_path: Path) -> None:
    tie = np.array([1.0, 1.0, 0.0], np.float32)
    found = judged(
        tmp_path, lambda x: np.tile(tie, (len(x), 1)), lambda x: np.tile(tie - np.float32([1e-6, 0, 0]), (len(x), 1))
    )
    assert found.verdict is Verdict.PASS
    assert found.top1_flips.k == found.top1_flips.n > 0


class Named(Formula):
    """A session that answers a class number alone."""

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return what the function makes of x, a class for each sample."""
        return {"label": self._call(inputs["x"])}


def positive(x: Any) -> Any:
    """Return a class by the sign of the first number."""
    return (x[:, 0] > 0).astype(np.int64)


@pytest.mark.parametrize("places", [1, 2])
def test_not_one_changed_prediction_is_forgiven(places: int, tmp_path: Path) -> None:
    """Exactly as many samples of one case are answered otherwise as are told; what is allowed is a share of that case."""
    probes.record(Named(positive), 3, None, tmp_path / "g.npz")
    recorded = golden.read(tmp_path / "g.npz")
    (number,) = [n for n, case in enumerate(recorded.cases) if case.name == "random"]
    (x,) = recorded.case_inputs(number).values()
    chosen = [row.tobytes() for row in x[3 : 3 + places]]

    def otherwise(batch: Any) -> Any:
        return positive(batch) ^ np.array([row.tobytes() in chosen for row in batch])

    def found(allowed: float) -> Any:
        return parity.compare(Named(otherwise), tmp_path / "g.npz", Tolerance(1e-4, 1e-4, allowed), 3)

    strict = found(0.0)
    assert strict.verdict is Verdict.FAIL
    assert strict.top1_flips.k == places
    assert f"{places} of {len(x)} predictions changed" in strict.reason
    assert found(places / len(x)).verdict is Verdict.PASS
    assert found((places - 0.5) / len(x)).verdict is Verdict.FAIL


class Scored(Formula):
    """A session that answers a class number, and the scores of two classes behind it."""

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return both, as the function makes them of x."""
        return dict(zip(("label", "scores"), self._call(inputs["x"]), strict=True))


@pytest.mark.parametrize(
    ("gap", "moved", "verdict"),
    [(1e-4, 3, Verdict.PASS), (5e-4, 3, Verdict.FAIL), (1e-4, 4, Verdict.FAIL), (3e-4, 3, Verdict.PASS)],
)
def test_only_a_tie_is_forgiven(gap: float, moved: int, verdict: Verdict, tmp_path: Path) -> None:
    """The fourth of the drawn samples has two scores that lie ``gap`` apart around 1; one sample gets the other class."""
    probes.record(Named(positive), 3, None, tmp_path / "g.npz")
    recorded = golden.read(tmp_path / "g.npz")
    (number,) = [n for n, case in enumerate(recorded.cases) if case.name == "random"]
    (x,) = recorded.case_inputs(number).values()

    def source(batch: Any) -> Any:
        close = np.array([row.tobytes() == x[3].tobytes() for row in batch])
        scores = np.where(close[:, None], np.array([1.0, 1.0 - gap]), np.array([2.0, 1.0]))
        return np.zeros(len(batch), np.int64), scores.astype(np.float32)

    def target(batch: Any) -> Any:
        label, scores = source(batch)
        return label + np.array([row.tobytes() == x[moved].tobytes() for row in batch]), scores

    probes.record(Scored(source), 3, None, tmp_path / "g.npz")
    found = parity.compare(Scored(target), tmp_path / "g.npz", EQUAL, 3)
    (check,) = [check for check in found.checks if check.name == "random"]
    assert (found.verdict, found.top1_flips.k) == (verdict, 1)
    assert ("1 of them ties" in check.detail) == (verdict is Verdict.PASS)


def test_a_fixed_batch_is_proven_with_that_and_says_so(tmp_path: Path) -> None:
    found = judged(tmp_path, np.cos, np.cos, batch=2)
    assert found.verdict is Verdict.PASS
    assert "only batches of 2" in found.reason


def test_too_few_samples_prove_nothing(tmp_path: Path) -> None:
    found = judged(tmp_path, _only(3), _only(3))
    assert found.verdict is Verdict.NOT_PROVEN
    assert "27 more" in found.reason


def _only(n: int) -> Any:
    def call(x: Any) -> Any:
        if len(x) != n:
            raise ValueError("another batch")
        return x

    return call


def test_answers_at_second_hand_prove_nothing_but_still_can_fail(tmp_path: Path) -> None:
    source = Formula(np.sin)
    source.secondhand = "Nobody here can run the source."
    probes.record(source, 3, None, tmp_path / "g.npz")
    found = [parity.compare(Formula(call), tmp_path / "g.npz", EQUAL, 3) for call in (np.sin, np.cos)]
    assert [one.verdict for one in found] == [Verdict.NOT_PROVEN, Verdict.FAIL]
    assert found[0].reason.startswith("Nobody here can run the source.")
    assert all(check.verdict is Verdict.PASS for check in found[0].checks)


def test_where_the_source_refuses_or_overflows_nothing_counts(tmp_path: Path) -> None:
    with np.errstate(all="ignore"):
        probes.record(Formula(lambda x: np.log(x)), 3, None, tmp_path / "g.npz")
    cases = golden.read(tmp_path / "g.npz").cases
    assert {case.what for case in cases if not case.counted} >= {"zeros", "negative"}
    with pytest.raises(Refused, match="no finite answer"):
        probes.record(Formula(lambda x: x * np.float32(np.nan)), 3, None, tmp_path / "g.npz")


def test_equal_seeds_give_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        probes.record(Formula(np.sin), 3, None, tmp_path / f"{name}.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_planted_fault_fails_and_is_named(tmp_path: Path) -> None:
    way = small.Way(small.save_program("pictures", tmp_path / "m.pt2"), "torch_export_to_onnx", {})
    honest = way.convert(tmp_path).rename(tmp_path / "honest.onnx")
    recorded = way.golden(tmp_path)
    spoilt = tmp_path / "spoilt.onnx"
    spoilt.write_bytes(honest.read_bytes())
    small.spoil(spoilt, "second.weight")
    found = parity.compare(runtime_for("onnx").open(spoilt, "onnx"), recorded, EQUAL, 7)
    assert found.verdict is Verdict.FAIL
    named = divergence.first(honest, spoilt, recorded)
    assert named is not None
    assert named.startswith("Conv 'node_conv2d_1'")
    assert divergence.first(honest, honest, recorded) is None
    assert onnx.load(spoilt).graph.node


def test_quality_counts_classes_and_measures_numbers() -> None:
    x = np.eye(4, dtype=np.float32)
    numbers, texts = np.array([0, 1, 2, 0]), np.array(["a", "b", "c", "d"])
    right = quality.evaluate(Formula(lambda x: x), Dataset({"x": x}, numbers, 4))
    assert (right.metric, right.correct.k, right.correct.n) == ("accuracy", 3, 4)
    assert quality.evaluate(Formula(lambda x: x), Dataset({"x": x}, texts, 4)).value == 1.0
    error = quality.evaluate(Formula(lambda x: x.sum(1)), Dataset({"x": x}, np.array([1.0, 2.0, 1.5, 1.0]), 4))
    assert (error.metric, round(error.value, 3)) == ("RMSE", 0.559)
    fixed = quality.evaluate(Formula(lambda x: x, batch=3), Dataset({"x": x}, numbers, 4))
    assert fixed.correct.k == 3
    with pytest.raises(Refused, match="no labels"):
        quality.evaluate(Formula(lambda x: x), Dataset({"x": x}, None, 4))


@pytest.mark.parametrize("where", ["inside", "input"])
def test_a_batch_that_the_converter_fixed_is_said_in_words(tmp_path: Path, where: str) -> None:
    source, baked = reshaping(-1, "batch"), reshaping(2, "batch" if where == "inside" else 2)
    for name, model in (("a", source), ("b", baked)):
        onnx.save(model, tmp_path / f"{name}.onnx")
    probes.record(runtime_for("onnx").open(tmp_path / "a.onnx", "onnx"), 3, None, tmp_path / "g.npz")
    found = parity.compare(runtime_for("onnx").open(tmp_path / "b.onnx", "onnx"), tmp_path / "g.npz", EQUAL, 3)
    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith("The converter fixed the batch size")
    honest = parity.compare(runtime_for("onnx").open(tmp_path / "a.onnx", "onnx"), tmp_path / "g.npz", EQUAL, 3)
    assert honest.verdict is Verdict.PASS
    assert "fixed" not in honest.reason


def reshaping(first: int, batch: int | str) -> onnx.ModelProto:
    """A graph that reshapes [batch, 6] to [first, 2, 3], as exporters do that ran once on an example."""
    shape = onnx.numpy_helper.from_array(np.array([first, 2, 3]), "shape")
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, 6])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [batch, 2, 3])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Reshape", ["x", "shape"], ["y"])], "g", [x], [y], [shape])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


class Beside(Formula):
    """A session whose first answer is plain, and whose second the function makes."""

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return x and what the function makes of it."""
        return {"y": inputs["x"], "more": self._call(inputs["x"])}


def beside(tmp_path: Path, source: Any, target: Any, tolerance: Tolerance = EQUAL) -> Any:
    """Record one function and compare another with it, each beside a plain answer."""
    probes.record(Beside(source), 3, None, tmp_path / "g.npz")
    return parity.compare(Beside(target), tmp_path / "g.npz", tolerance, 3)


def whole(kind: Any) -> Any:
    """Return a function to whole numbers of a type, in three dimensions so that they are no classes."""
    return lambda x: np.nan_to_num(np.abs(x[:, :, None])).clip(0, 100).astype(kind)


def infinite(value: float) -> Any:
    """Return a function with an infinite number in the place of each number over 0.5."""
    return lambda x: np.where(x > 0.5, np.float32(value), x)


@pytest.mark.parametrize(
    ("source", "target", "verdict", "word"),
    [
        (whole(np.int64), whole(np.uint8), Verdict.PASS, ""),
        (whole(np.uint8), whole(np.int32), Verdict.PASS, ""),
        (whole(np.int64), whole(np.float32), Verdict.FAIL, "is float32, but the source gives int64"),
        (whole(np.float32), whole(np.int64), Verdict.FAIL, "is int64, but the source gives float32"),
        (whole(np.int64), whole(bool), Verdict.FAIL, "is bool, but the source gives int64"),
        (infinite(np.inf), infinite(np.inf), Verdict.PASS, ""),
        (infinite(np.inf), infinite(-np.inf), Verdict.FAIL, "not finite"),
        (infinite(np.inf), infinite(1e30), Verdict.FAIL, "not finite"),
        (infinite(np.inf), infinite(np.nan), Verdict.FAIL, "not finite"),
        (infinite(1.0), infinite(np.inf), Verdict.FAIL, "not finite"),
        (infinite(np.nan), infinite(np.nan), Verdict.PASS, ""),
        (infinite(np.nan), infinite(np.inf), Verdict.FAIL, "not finite"),
    ],
)
def test_types_and_numbers_that_are_not_finite(
    source: Any, target: Any, verdict: Verdict, word: str, tmp_path: Path
) -> None:
    found = beside(tmp_path, source, target)
    assert found.verdict is verdict
    assert word in found.reason


def test_the_places_that_are_not_finite_are_counted(tmp_path: Path) -> None:
    def spoilt(x: Any) -> Any:
        out = x.copy()
        out[0, :3] = np.nan
        return out

    found = beside(tmp_path, lambda x: x, spoilt)
    assert "in 3 places" in found.checks[0].detail


def test_the_figures_of_a_check_are_those_of_all_its_cases(tmp_path: Path) -> None:
    """Several cases have one name; their largest difference, their noise and their distribution are taken together."""

    def off(x: Any) -> Any:
        return np.where(np.isfinite(x), x * np.float32(1.001) + np.float32(1e-3), x)

    found = judged(tmp_path, lambda x: x, off, Tolerance(1.0, 1.0))
    recorded = golden.read(tmp_path / "g.npz")
    for check in found.checks:
        numbers = [n for n, case in enumerate(recorded.cases) if case.stored and case.name == check.name]
        source = np.concatenate([recorded.case_outputs(n)[0].ravel() for n in numbers]).astype(np.float64)
        gap = np.abs(off(source.astype(np.float32)).astype(np.float64) - source)
        assert check.samples == sum(recorded.cases[n].samples for n in numbers)
        assert check.max_abs == pytest.approx(gap.max())
        assert check.max_rel == pytest.approx((gap / np.maximum(np.abs(source), 1.0)).max())
        assert check.sqnr_db == pytest.approx(10 * np.log10((source**2).sum() / (gap**2).sum()))
        assert check.percentiles[2] == pytest.approx(np.percentile(gap, 99, method="higher"), rel=0.13)
    assert len([case for case in recorded.cases if case.name == "edge"]) > 1


def test_a_difference_as_large_as_the_tolerance_is_within_it(tmp_path: Path) -> None:
    exact = Tolerance(0.5, 0.0)
    source, target = (lambda x: np.sign(np.nan_to_num(x))), (lambda x: np.sign(np.nan_to_num(x)) + np.float32(0.5))
    assert judged(tmp_path, source, target, exact).checks[0].detail == ""
    assert "beyond" in judged(tmp_path, source, target, Tolerance(0.4999, 0.0)).checks[0].detail


def test_samples_that_do_not_count_are_told_apart(tmp_path: Path) -> None:
    found = judged(tmp_path, lambda x: x, lambda x: np.where(np.isnan(x), np.float32(7), x))
    assert found.verdict is Verdict.PASS
    assert "Reported separately, 4 samples 'missing numbers': output 'y' is not finite" in found.reason
    assert "The model was not trained on missing values." in found.reason
    assert "random" not in found.reason
    assert "missing numbers" not in {check.name for check in found.checks}


@pytest.mark.parametrize(("refused", "words"), [({3}, "batch 3,"), ({1, 3}, "batch 1 and batch 3,")])
def test_a_batch_that_the_source_did_not_answer_leaves_it_open(refused: set[int], words: str, tmp_path: Path) -> None:
    def picky(x: Any) -> Any:
        if len(x) in refused:
            raise ValueError("not this many")
        return x

    found = judged(tmp_path, picky, picky)
    assert found.verdict is Verdict.NOT_PROVEN
    assert f"The source did not answer {words} so other batch sizes are not proven." in found.reason


@pytest.mark.parametrize(("samples", "missing"), [(29, "1 more"), (30, "")])
def test_thirty_samples_are_enough(samples: int, missing: str, tmp_path: Path) -> None:
    found = judged(tmp_path, np.cos, np.cos, batch=2)
    check = replace(found.checks[0], samples=samples)
    said = parity._missing(golden.read(tmp_path / "g.npz"), [check])
    assert (missing in said) if missing else said == ""


class Mask(Formula):
    """A session that answers a mask of four places for each sample."""

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return probabilities [n, 1, 2, 2], as the function makes them of x."""
        return {"mask": self._call(inputs["x"]).reshape(-1, 1, 2, 2)}


def test_the_places_of_a_mask_are_counted_where_either_says_yes(tmp_path: Path) -> None:
    first, second = np.array([0.9, 0.1, 0.1, 0.1], np.float32), np.array([0.9, 0.1, 0.1, 0.8], np.float32)
    probes.record(Mask(lambda x: np.tile(first, (len(x), 1))), 3, None, tmp_path / "g.npz")
    target = Mask(lambda x: np.tile(second, (len(x), 1)))
    found = parity.compare(target, tmp_path / "g.npz", Tolerance(1.0, 0.0), 3)
    assert {(check.flips.k, check.flips.n) for check in found.checks} == {
        (check.samples, 2 * check.samples) for check in found.checks
    }


def test_answers_with_the_steps_first_are_counted_by_sample(tmp_path: Path) -> None:
    def steps(x: Any) -> Any:
        return np.tile(np.array([2.0, 1.0, 0.0], np.float32), (5, len(x), 1))

    def wrong(x: Any) -> Any:
        out = steps(x)
        out[4, 0] = out[4, 0, ::-1]
        return out

    found = judged(tmp_path, steps, wrong)
    (check,) = [check for check in found.checks if check.name == "random"]
    assert (check.flips.k, check.flips.n) == (1, check.samples)


def test_where_no_tolerance_applies_nothing_is_a_tie_and_no_check_passes(tmp_path: Path) -> None:
    """A technique changes numbers on purpose: what it costs is judged, not how near the numbers are."""
    probes.record(Formula(lambda x: x), 3, None, tmp_path / "g.npz")
    found = parity.compare(Formula(lambda x: -x), tmp_path / "g.npz", ANY, 3)
    assert found.tolerance is None
    assert found.verdict is Verdict.NOT_PROVEN
    assert {(check.verdict, check.max_rel) for check in found.checks} == {(None, None)}
    assert not any("tie" in check.detail for check in found.checks)
    assert any(check.flips and check.flips.k for check in found.checks)
