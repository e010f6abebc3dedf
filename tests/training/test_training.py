"""Training towards a teacher: it learns, keeps what storage stands on, never ends worse than it began, and says what it cannot."""

import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from core.domain.errors import Refused
from core.domain.limits import WORKING
from core.domain.technique import Lesson
from core.onnx import calibration
from core.train.training import Student, loop, material, rules, teacher, train
from core.train.training.lesson import Goal
from core.train.training.loop import Clock, Course
from core.train.training.material import Batch, Material
from core.train.training.pictures import moved, sides
from core.train.training.teacher import Kind, Output, Teacher
from core.train.training.work import Work
from tests.load import busy
from tests.training import models
from tests.training.models import PLAN

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("change", [models.pruned, models.shared])
def test_a_damaged_model_learns_to_answer_like_its_teacher(change: Any, softmax: bool, tmp_path: Path) -> None:
    before, after = _distances(tmp_path, change, models.network(softmax))
    assert after < 0.5 * before


def test_zeros_stay_zero_and_others_move(tmp_path: Path) -> None:
    source = models.damaged(models.network(), models.pruned)
    trained, was = models.arrays(_trained(tmp_path, source)), models.arrays(source)
    for name in ("w0", "w1", "w2"):
        assert np.array_equal(trained[name] == 0, was[name] == 0)
        assert not np.allclose(trained[name], was[name], atol=1e-4)


def test_shared_values_move_together(tmp_path: Path) -> None:
    source = models.damaged(models.network(), models.shared)
    trained, was = models.arrays(_trained(tmp_path, source)), models.arrays(source)
    for name in ("w0", "w1"):
        pairs = np.unique(np.stack([was[name].reshape(-1), trained[name].reshape(-1)]), axis=1)
        assert len(np.unique(was[name])) == 4
        assert pairs.shape[1] == 4
        assert not np.array_equal(*pairs)


def test_the_gradient_of_a_shared_value_is_the_sum_over_its_weights() -> None:
    values = torch.tensor([0.0, 0.5, -1.0])[torch.arange(300) % 3].reshape(20, 15)
    tensor = torch.nn.Parameter(values)
    rule = rules.rule(tensor)
    assert isinstance(rule, rules.Shared)
    tensor.grad = torch.arange(300.0).reshape(20, 15)
    rule.gather()
    assert rule.leaf.tolist() == [-1.0, 0.0, 0.5]
    assert rule.leaf.grad is not None
    assert rule.leaf.grad.tolist() == [sum(range(2, 300, 3)), 0, sum(range(1, 300, 3))]


def test_halves_stay_halves() -> None:
    tensor = torch.nn.Parameter(torch.randn(20, 15, generator=torch.Generator().manual_seed(1)).half().float())
    rule = rules.rule(tensor)
    with torch.no_grad():
        rule.leaf += 1e-3 / 3
    rule.spread()
    assert torch.equal(tensor, tensor.half().float())
    assert not torch.equal(tensor, rule.leaf)


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    source = models.damaged(models.network(), models.pruned)
    first, second, other = (_trained(tmp_path, source, seed=seed) for seed in (3, 3, 4))
    assert first.SerializeToString() == second.SerializeToString()
    assert first.SerializeToString() != other.SerializeToString()


def test_what_does_not_get_better_is_handed_back_as_it_was(tmp_path: Path) -> None:
    source = models.damaged(models.network(), lambda array: array * 1.01)
    trained, was = models.arrays(_trained(tmp_path, source, learning_rate=0.1, epochs=2)), models.arrays(source)
    assert all(np.array_equal(trained[name], was[name]) for name in was)


def test_the_best_weights_on_deciding_samples_are_kept(tmp_path: Path) -> None:
    original = models.saved(models.network(), tmp_path / "teacher.onnx")
    source = models.saved(models.damaged(models.network(), models.pruned), tmp_path / "source.onnx")
    course = _course(source, original, replace(PLAN, learning_rate=0.02, epochs=6))
    told: list[float] = []
    outcome = course.run(lambda share, text: told.append(share))
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert outcome.after < outcome.before
    assert course.distance() == pytest.approx(outcome.after, rel=1e-6)


def test_time_ends_a_training(tmp_path: Path) -> None:
    source = models.damaged(models.network(), models.pruned)
    start = time.monotonic()
    _trained(tmp_path, source, minutes=0.02, epochs=100_000)
    assert time.monotonic() - start < 30


def test_operations_end_a_training_the_same_on_a_busy_machine(tmp_path: Path) -> None:
    source = models.damaged(models.network(), models.pruned)
    bound = {"teraflops": 0.0002, "epochs": 100_000}
    alone = _trained(tmp_path, source, **bound)
    with busy():
        crowded = _trained(tmp_path, source, **bound)
    assert alone.SerializeToString() == crowded.SerializeToString()
    assert alone.SerializeToString() != _trained(tmp_path, source, teraflops=0.0004, epochs=100_000).SerializeToString()
    with pytest.raises(Refused, match="learns nothing in 1e-06 trillion"):
        _trained(tmp_path, source, teraflops=1e-6)


def test_a_bound_on_operations_counts_all_that_a_training_computes(tmp_path: Path) -> None:
    path = models.saved(models.network(), tmp_path / "net.onnx")
    work = Work.bounded(1e-6, Student(path), Teacher(path), models.rows())
    assert work.answer == 2 * sum(a * b for a, b in pairwise(models.SIZES))
    assert work.answered * work.answer == work.total / 4
    assert work.deciding == work.answered / 20
    assert Work().steps(64) == Work().answered == float("inf")


def test_pictures_move_and_nothing_else_does() -> None:
    ramp = np.broadcast_to(np.arange(28, dtype=np.float32), (40, 3, 28, 28))
    rng = np.random.default_rng(1)
    for array in (ramp, ramp.transpose(0, 2, 3, 1)):
        found = moved({"x": array}, rng)["x"]
        assert found.shape == array.shape
        across = found[:, 0, 14] if array is ramp else found[:, 14, :, 0]
        assert set(across[:, 14] - 14) == {-2, -1, 0, 1, 2}
        assert all(np.array_equal(row, np.clip(np.arange(28) + row[14] - 14, 0, 27)) for row in across)
    for other in (
        np.zeros((4, 64, 8, 8)),
        np.zeros((4, 1, 7, 28)),
        np.zeros((4, 28, 28)),
        np.zeros((4, 3, 28, 28), int),
    ):
        assert sides(other) is None
        assert moved({"x": other}, rng)["x"] is other


def test_too_short_a_training_is_told_from_too_few_samples(tmp_path: Path) -> None:
    path = models.saved(models.network(batch=1), tmp_path / "net.onnx")
    with pytest.raises(Refused, match="answers only 1 of 300 samples, and 32 are needed") as refusal:
        train(path, models.lesson(path), replace(PLAN, minutes=1e-9))
    assert "more minutes" in refusal.value.next_step


def test_threads_leave_cpu_seconds_for_the_minutes() -> None:
    assert loop.threads(loop.MOST_MINUTES) == 1
    assert all(loop.threads(minutes) * minutes * 60 < WORKING.cpu_seconds for minutes in (0.5, 2, 4))


def test_labels_are_learned_where_they_are_used(tmp_path: Path) -> None:
    original = models.saved(models.network(), tmp_path / "teacher.onnx")
    labels = (_scores(onnx.load(original), models.rows()).argmax(1) + 1) % 4
    given = models.lesson(original, labels=labels)
    with pytest.raises(Refused, match="already answers like its teacher"):
        train(original, given, PLAN)
    taught = train(original, given, replace(PLAN, labels="use", epochs=30, learning_rate=0.01))
    before, after = (_right(model, given.inputs, labels) for model in (onnx.load(original), taught))
    assert before == 0
    assert after > 25


def test_labels_are_class_numbers_names_or_nothing() -> None:
    goal, answers = Goal([Output(0, Kind.LOGITS, 1, 1.0)], 1.0), [np.zeros((4, 2), np.float32)]
    assert goal.usable(np.array(["no", "yes", "no", "no"]), answers).tolist() == [0, 1, 0, 0]
    assert goal.usable(np.array([1.0, 0.0, 1.0, 1.0]), answers).tolist() == [1, 0, 1, 1]
    assert goal.usable(np.array([1, 2, 3, 0]), answers) is None
    assert goal.usable(np.array(["a", "b", "c", "a"]), answers) is None
    numbers = Goal([Output(0, Kind.NUMBERS, 1, 1.0)], 1.0)
    assert numbers.usable(np.array([1, 2, 3, 0]), [np.zeros((4, 1), np.float32)]).dtype == np.float32
    assert numbers.usable(np.array([1, 2, 3, 0]), [np.zeros((4, 3), np.float32)]) is None


def test_answers_are_told_apart() -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(100, 5)) * 5
    odds = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    embedding = rng.normal(size=(100, 32)) / 6
    answers = [array.astype(np.float32) for array in (logits, odds, embedding, logits[:, :1])]
    kinds = [one.kind for one in teacher.outputs([*answers, np.arange(100)])]
    assert kinds == [Kind.LOGITS, Kind.PROBABILITIES, Kind.NUMBERS, Kind.NUMBERS]
    with pytest.raises(Refused, match="no float outputs"):
        teacher.outputs([np.arange(3)])


def test_distances_are_those_of_the_books() -> None:
    said, wanted = torch.tensor([[1.0, 2.0, 0.5]]), torch.tensor([[3.0, -1.0, 0.0]])
    logits = Goal([Output(0, Kind.LOGITS, 1, 1.0)], 2.0).distance([said], [wanted], None)
    p, q = torch.softmax(wanted / 2, 1), torch.softmax(said / 2, 1)
    assert float(logits) == pytest.approx(float((p * (p / q).log()).sum()) * 4, rel=1e-5)
    odds = [torch.softmax(each, 1) for each in (said, wanted)]
    same = Goal([Output(0, Kind.PROBABILITIES, 1, 1.0)], 2.0).distance([odds[0]], [odds[1]], None)
    assert float(same) == pytest.approx(float(logits), rel=1e-4)
    numbers = Goal([Output(0, Kind.NUMBERS, 1, 4.0)], 2.0).distance([said], [wanted], None)
    assert float(numbers) == pytest.approx((4 + 9 + 0.25) / 3 / 4)


@pytest.mark.parametrize("batch", [1, 8, 50])
def test_models_of_a_fixed_batch_are_trained(batch: int, tmp_path: Path) -> None:
    before, after = _distances(tmp_path, models.pruned, models.network(batch=batch), epochs=2)
    assert after < before


def test_token_ids_are_mixed_as_ids(tmp_path: Path) -> None:
    ids = np.random.default_rng(2).integers(0, 50, (200, 4))
    ids[:, 3] = 0
    original = models.saved(models.network(integers=True), tmp_path / "teacher.onnx")
    source = models.saved(models.damaged(models.network(integers=True), models.pruned), tmp_path / "source.onnx")
    trained = train(source, Lesson(original, {"x": ids}), PLAN)
    assert not np.array_equal(models.arrays(trained)["table"], models.arrays(source)["table"])
    swapped = material.mixed({"x": ids}, np.random.default_rng(3))["x"]
    assert swapped.dtype == ids.dtype
    assert np.array_equal(swapped == 0, ids == 0)
    assert 0 < np.mean(swapped != ids) < 0.3


def test_parts_of_the_samples_are_apart_and_whole() -> None:
    x = np.arange(100)
    parts = Material.split(Batch({"x": x}, [x], None), None, seed=1)
    assert sorted([*parts.trained.inputs["x"], *parts.deciding.inputs["x"]]) == list(range(100))
    assert len(parts.deciding) == 16
    fixed = Material.split(Batch({"x": x[:96]}, [x[:96]], None), 8, seed=1)
    assert len(fixed.deciding) % 8 == 0
    with pytest.raises(Refused, match="needs 32 samples, but there are only 20"):
        Material.split(Batch({"x": x[:20]}, [x[:20]], None), None, seed=1)


def test_samples_and_operators_that_lack_are_named(tmp_path: Path) -> None:
    original = models.saved(models.network(), tmp_path / "teacher.onnx")
    with pytest.raises(Refused, match="there are none"):
        train(original, Lesson(original, {}), PLAN)
    foreign = models.network()
    foreign.graph.node[-1].CopyFrom(helper.make_node("Warp", ["h2"], ["y"], name="strange", domain="my.own"))
    source = models.saved(foreign, tmp_path / "foreign.onnx")
    with pytest.raises(Refused, match=r"Warp of my.own .*strange"):
        Student(source)


def test_masks_and_bounds_are_no_weights(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 2] x) => (float[N, 2] y)
    <float[2, 2] w = {1, 2, 3, 4}, float[2] mask = {0, -30000}, float[2] power = {2, 2}, float[1] one = {3}>
    { h = MatMul(x, w)  m = Add(h, mask)  p = Pow(m, power)  y = Mul(p, one) }"""
    student = Student(models.saved(onnx.parser.parse_model(text), tmp_path / "model.onnx"))
    assert list(student.weights) == ["w"]


def test_weights_that_are_to_be_kept_stay(tmp_path: Path) -> None:
    source = models.damaged(models.network(), models.pruned)
    trained = models.arrays(_trained(tmp_path, source, keep="w1, b0"))
    was = models.arrays(source)
    assert [name for name in was if np.array_equal(trained[name], was[name])] == ["b0", "w1"]


def _trained(folder: Path, source: onnx.ModelProto, **changes: Any) -> onnx.ModelProto:
    original = models.saved(models.network(), folder / "teacher.onnx")
    path = models.saved(source, folder / "source.onnx")
    model: onnx.ModelProto = train(path, models.lesson(original), replace(PLAN, **changes))
    return model


def _distances(folder: Path, change: Any, model: onnx.ModelProto, **changes: Any) -> tuple[float, float]:
    original = models.saved(model, folder / "teacher.onnx")
    source = models.saved(models.damaged(model, change), folder / "source.onnx")
    outcome = _course(source, original, replace(PLAN, **changes)).run(lambda share, text: None)
    return outcome.before, outcome.after


def _course(source: Path, original: Path, plan: loop.Plan) -> Course:
    student, taught, samples = Student(source), Teacher(original), models.rows()
    answers = taught.answers(samples, lambda n: False)
    n = len(answers[0])
    batch = Batch({"x": samples["x"][:n]}, answers, None)
    goal = Goal(teacher.outputs(answers), plan.temperature)
    return Course(
        student, taught, goal, Material.split(batch, taught.batch, plan.seed), plan, Clock(plan.minutes), Work()
    )


def _right(model: onnx.ModelProto, samples: dict[str, Any], labels: Any) -> int:
    return int((_scores(model, samples).argmax(1) == labels).sum())


def _scores(model: onnx.ModelProto, samples: dict[str, Any]) -> Any:
    return calibration.joined(calibration.session(model.SerializeToString(), "all"), samples).reshape(-1, 4)
