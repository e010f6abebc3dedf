"""The fuzzing works, on a few seeds of each family, and an oracle that is given a wrong result says so."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz import __main__ as fuzz
from benchmarks.fuzz import verdicts
from benchmarks.fuzz.specimen import Inputs, Specimen
from benchmarks.fuzz.study import Row
from core.domain.transform import Tolerance

TOLERANCE = Tolerance(absolute=1e-4, relative=1e-4)
SEED, COUNT = 0, 1


def fuzzed(folder: Path) -> list[Row]:
    """Run as a person does: children of this very process would first run what a test of pages left as its main module."""
    seeds = ["--seed", str(SEED), "--count", str(COUNT)]
    subprocess.run([sys.executable, "-m", "benchmarks.fuzz", str(folder), *seeds], check=True, capture_output=True)
    return fuzz.read(folder / fuzz.ROWS)


@pytest.mark.slow
def test_no_pass_is_refuted_and_a_run_goes_on_where_it_stood(tmp_path: Path) -> None:
    rows = fuzzed(tmp_path)
    assert {row["family"] for row in rows if "converter" in row} == set(fuzz.FAMILIES)
    assert not fuzz.findings(rows)
    assert not [row for row in rows if row["ended"] == "accident"]
    assert all(row["asked"] > row["proof"] for row in rows if row.get("asked"))
    assert fuzzed(tmp_path) == rows
    assert fuzz.summary(rows)["conversions"] == sum("converter" in row for row in rows)


def refuted(source: object, result: object, inputs: np.ndarray) -> verdicts.Refuted | None:
    """Hold one function against another on some inputs."""

    def answer(given: Inputs) -> list[np.ndarray]:
        return [np.asarray(source(given["x"]))]  # type: ignore[operator]

    specimen = Specimen(Path("none"), "onnx", (answer,), lambda rng: iter(()), "a function")
    theirs = [np.asarray(result(inputs))]  # type: ignore[operator]
    return verdicts.refuted("ordinary", {"x": inputs}, answer({"x": inputs}), theirs, specimen, TOLERANCE)


GRID = np.arange(-8, 8, dtype=np.float32).reshape(-1, 1) / 2


def test_another_answer_is_found_with_its_input() -> None:
    found = refuted(lambda x: np.minimum(x, 3), lambda x: np.minimum(x, 2), GRID)
    assert found is not None
    assert (found.grade, found.inputs, found.source, found.result) == ("sure", {"x": [2.5]}, [2.5], [2.0])


def test_equal_answers_and_those_within_the_tolerance_are_no_finding() -> None:
    assert refuted(np.tanh, lambda x: np.tanh(x) + 5e-5, GRID) is None


def test_where_the_source_itself_jumps_a_difference_is_an_edge() -> None:
    found = refuted(np.ceil, lambda x: np.ceil(x + np.float32(1e-7)), GRID)
    assert found is not None
    assert found.grade == "edge"


def test_a_number_that_is_none_on_one_side_is_told_apart() -> None:
    found = refuted(lambda x: np.where(x < 0, np.nan, x), lambda x: x, GRID)
    assert found is not None
    assert found.grade == "not finite"
    lost = refuted(lambda x: x, lambda x: np.where(x < 0, np.inf, x), GRID)
    assert lost is not None
    assert lost.grade == "sure"


def test_what_a_step_loses_in_float32_is_measured() -> None:
    """Among saturated answers of a recurrent layer, the smallest is chosen by what lies below a rounding."""
    import torch

    from benchmarks.fuzz.networks import MOVED, WAYS, Network

    network = Network()
    for step in (lambda x: 1e-9 * x, lambda x: x.argmin(1, keepdim=True).float()):
        network.add(step)
    x = torch.tensor([[3.0, 1.0, 2.0]])
    assert network(x).tolist() == [[1.0]]
    assert any(network.shaken(x, way).tolist() == [[0.0]] for way in range(MOVED, WAYS))
    steep = Network()
    steep.add(lambda x: (x + 1e8) - 1e8)
    assert max(abs(float(steep.shaken(x, way)[0, 0]) - float(steep(x)[0, 0])) for way in range(MOVED)) > 1.0


def test_whole_numbers_and_texts_must_be_equal() -> None:
    whole = GRID.astype(np.int64)
    assert refuted(lambda x: x % 3, lambda x: np.fmod(x, 3), whole) is not None
    assert refuted(lambda x: x.astype(np.str_), lambda x: x.astype(np.str_), whole) is None


def test_what_a_zero_point_hides_is_an_edge() -> None:
    """Engines that add it before they round lose the last bits of a number; the source's other ways say so."""
    import onnx

    from benchmarks.fuzz import graphs

    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[N] x) => (float[N] y)
        <float scale = {0.125}, uint8 zero = {130}>
        { q = QuantizeLinear(x, scale, zero)  y = DequantizeLinear(q, scale, zero) }"""
    )
    x = np.array([0.0625 + 5e-7], np.float32)
    found = {
        round(float(graphs.shaken(model, way, most)({"x": x})[0][0]), 3) for way, most in enumerate(graphs.SHAKES[:9])
    }
    assert found == {0.0, 0.125}
