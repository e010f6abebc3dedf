"""The benchmarks run: each that needs no data from outside does its smallest piece here, the real way."""

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper

from benchmarks import (
    advice,
    dispatch,
    faults,
    greedy,
    macs,
    memory,
    one_operator,
    onnx_to_torch,
    pairs,
    races,
    resolution,
)  # fmt: skip
from core.calls.bench import Bench
from core.converters import CONVERTERS
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from tests.conftest import SAMPLES

ONE_OPERATOR = """
<ir_version: 10, opset_import: ["" : 17]>
relu (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }
"""


@pytest.fixture
def relu(tmp_path: Path) -> Path:
    """A folder of ONNX test data with one model, its input and its answer."""
    given = tmp_path / "node" / "test_relu"
    own = given / "test_data_set_0"
    own.mkdir(parents=True)
    onnx.save(onnx.parser.parse_model(ONE_OPERATOR), given / "model.onnx")
    x = np.array([[-1, 0, 2]], np.float32)
    for name, value in (("input_0", x), ("output_0", np.maximum(x, 0))):
        (own / f"{name}.pb").write_bytes(numpy_helper.from_array(value).SerializeToString())
    return tmp_path


def test_a_round_of_dispatch_times_answer_and_cancel(sandbox: Sandbox) -> None:
    found = dispatch.measure(sandbox, 1, {"light": dispatch.MODELS["light"]}, breath=0.0)
    assert {name: len(taken) for name, taken in found["samples"].items()} == {"light": 1, "cancel": 1}
    assert all(value > 0 for value in found["median"].values())


@pytest.mark.slow
def test_a_greedy_visitor_delays_nobody(tmp_path: Path) -> None:
    found = greedy.measure(tmp_path, seconds=8)
    assert found["greedy_jobs"] == {"running": 2, "queued": 500}
    assert found["last_of_the_line"]["position"] == 500
    assert found["begun"]["number"] >= 3
    assert found["begun"]["worst"] < 5
    assert found["healthz"]["median"] < 1
    assert (
        found["healthz"]["worst"] < 2
    )  # tests run beside each other; alone, `python -m benchmarks.greedy` stays below 1
    assert found["memory_mb"]["most"] - found["memory_mb"]["before"] < 200
    assert found["uploads"].keys() <= {"201", "429", "cut off"}
    assert found["uploads"]["429"] > found["uploads"]["201"]
    assert not found["traceback"]


def test_a_model_of_one_operator_goes_all_the_ways_and_gives_its_own_answers(relu: Path) -> None:
    ways = (*one_operator.WAYS, *onnx_to_torch.WAYS)
    found = one_operator.main(relu, "", ways)
    assert found["counts"] == {way.transform: {"PASS": 1} for way in ways}
    for row in found["rows"]["node/test_relu"].values():
        assert row["own_data"] == {"source": True, "target": True}


def test_a_pair_is_proven_and_its_result_is_a_source_of_further_pairs(relu: Path, tools: Tools) -> None:
    pool = pairs.Pool(Bench(tools))
    pool.bring("relu", relu / "node" / "test_relu" / "model.onnx")
    pool.measure(CONVERTERS["onnx_to_ort"])
    row = pool.found["onnx_to_ort"]["relu"]
    assert (row["verdict"], row["max_abs"]) == ("PASS", 0.0)
    assert row["samples"] > 0
    assert pool.models["ort"]["relu"].format == "ort"


def test_a_race_of_equal_files_is_summed_up(tmp_path: Path) -> None:
    file = races.chain(1, tmp_path / "chain.onnx")
    found = races.summed_up([races.raced(file, file, seed, seconds=0.0) for seed in range(2)], 1.0)
    assert len(found["races"]) == found["verdicts"].total() == 2
    assert found["mean_ratio"] > 0


def test_a_round_of_resolution_judges_every_pair_in_both_ways() -> None:
    found = resolution.measure(1, [], seconds=0.0, calls=5)
    assert set(found["cases"]) >= {"5 %", "2 %"}
    assert all(one["race"].total() == one["by_hand"].total() == 1 for one in found["cases"].values())


def test_macs_of_a_network_are_those_worked_out_by_hand() -> None:
    found = macs.measured("mobilenet_v3_small")
    assert found["right"], found


def test_the_peak_of_memory_repeats(tools: Tools) -> None:
    found = memory.measured(tools, SAMPLES / "segment" / "model.onnx", runs=3)
    assert found["repeats"], found


def test_planted_faults_of_a_move_are_stopped_and_named(tmp_path: Path, sandbox: Sandbox) -> None:
    kinds = ["fixed batch axis", "float32 for float64"]
    found = faults.measure(kinds, 3, tmp_path, sandbox)
    assert [one["kind"] for one in found if one["stopped"] and one["named"]] == kinds, found


def test_an_advice_is_applied_and_what_promises_nothing_is_counted_apart(tools: Tools, tmp_path: Path) -> None:
    path, data = advice.given(tools, "segment", tmp_path)
    trees = advice.judged(tools, "segment", path, data)
    assert (trees["technique"], trees["true"]) == (None, None)
    small, _ = advice.exported(advice.perceptron(8, 8), (8,), tmp_path)
    row = advice.judged(tools, "small", small, None)
    assert row["promise"] == "calls with 8 samples"
    assert row["true"] is True
    assert row["us a sample"][0] > 2 * row["us a sample"][1]
    assert advice.summed_up([trees, row, {**row, "true": False}]) == {"true": 1, "of": 2, "no promise": 1}
