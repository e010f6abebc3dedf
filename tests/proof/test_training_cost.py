"""What training takes is reckoned as a real step shows it, and any batch and budget by arithmetic on that."""

from pathlib import Path

import pytest

from benchmarks import training_cost
from core.domain.errors import Refused
from core.domain.training_cost import Optimizer, Training, TrainingRequest
from core.domain.work import Subject
from core.proof.training_cost import trainable
from core.verbs import training


@pytest.mark.parametrize("name", ["fashion_cnn", "recurrent"])
def test_saved_tensors_are_those_of_a_real_step(name: str) -> None:
    found = training_cost.measure(name)
    assert found["rows"]
    assert [one for one in found["rows"] if abs(one["ratio"] - 1) > 0.01 or not one["linear"]] == []


def test_a_step_and_the_largest_batch_that_fits() -> None:
    found = Training(1000, 800, (2, 8, 32), (220, 820, 3220))
    assert (found.per_sample, found.fixed, found.linear) == (100, 20, True)
    step = found.step(10, Optimizer.ADAM)
    assert (step.weights, step.gradients, step.state, step.saved) == (1000, 800, 1600, 1020)
    assert found.step(10, Optimizer.SGD).total == 2820
    for workspace in (0.0, 0.6):
        batch = found.largest(100_000, Optimizer.ADAM, workspace)
        assert found.step(batch, Optimizer.ADAM).total * (1 + workspace) <= 100_000
        assert found.step(batch + 1, Optimizer.ADAM).total * (1 + workspace) > 100_000
    assert found.largest(3000, Optimizer.ADAM) == 0


def test_a_model_of_one_batch_size_fits_or_does_not() -> None:
    found = Training(1000, 800, (4,), (400,))
    assert (found.any_batch, found.linear) == (False, True)
    assert found.largest(1e6, Optimizer.SGD) == 4
    assert found.largest(1e3, Optimizer.SGD) == 0


def test_figures_off_the_line_are_told() -> None:
    assert not Training(1, 1, (2, 8, 32), (100, 1000, 1100)).linear


def test_trees_are_refused() -> None:
    with pytest.raises(Refused, match="cannot be estimated"):
        training.normal(TrainingRequest(Subject("0" * 64, 1, "pmml", "spam.pmml")))


def test_a_file_without_weights_in_floats_is_refused(tmp_path: Path) -> None:
    import onnx
    from onnx import parser

    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> m (float[N, 3] x) => (float[N, 3] y) { y = Relu (x) }'
    )
    onnx.save(model, tmp_path / "relu.onnx")
    with pytest.raises(Refused, match="no weights"):
        trainable(tmp_path / "relu.onnx", "onnx", {})
