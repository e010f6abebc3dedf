"""Each metric gives what can be worked out by hand, and none where it is not defined; every kind of answer gets the metrics of its kind."""

import math

import numpy as np
import pytest

from core.domain.errors import Refused
from core.domain.measures import Qualities
from core.domain.metric import Answers, Needs
from core.domain.report import Quality, Verdict
from core.metrics import METRICS
from core.proof import figures, paired, quality, redrawn
from core.proof.dataset import Dataset
from core.verbs import allowed_loss

LABELS = np.array([0, 0, 0, 1])
SURE = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
CLASSES = Answers(LABELS, SURE.argmax(1), SURE)
NUMBERS = Answers(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0]))
TEXTS = Answers(np.array(["abc d", "xyz"]), np.array(["abd d", "xyz"]))


@pytest.mark.parametrize(
    ("id", "answers", "value"),
    [
        ("balanced_accuracy", CLASSES, (2 / 3 + 1) / 2),
        ("macro_f1", CLASSES, (2 * 1 * (2 / 3) / (5 / 3) + 2 * 0.5 * 1 / 1.5) / 2),
        ("auroc", CLASSES, 1.0),
        ("log_loss", CLASSES, -sum(map(math.log, (0.9, 0.6, 0.3, 0.8))) / 4),
        ("calibration_error", CLASSES, (abs(1 - 0.9) + abs(1 - 0.6) + abs(0 - 0.7) + abs(1 - 0.8)) / 4),
        ("top_5", CLASSES, None),
        (
            "top_5",
            Answers(np.array([0, 5]), np.array([1, 1]), np.array([[0, 5, 4, 3, 2, 1], [0, 5, 4, 3, 2, 1.0]])),
            0.5,
        ),
        ("auroc", Answers(np.zeros(4, int), LABELS, SURE), None),
        ("mean_absolute_error", NUMBERS, 2 / 3),
        ("r2", NUMBERS, 1 - 4 / 2),
        ("r2", Answers(np.ones(3), np.arange(3.0)), None),
        ("character_error_rate", TEXTS, 1 / 8),
        ("word_error_rate", TEXTS, 1 / 3),
        ("word_error_rate", Answers(np.array([""]), np.array(["a"])), None),
    ],
)
def test_a_metric_is_what_can_be_worked_out_by_hand(id: str, answers: Answers, value: float | None) -> None:
    found = METRICS[id].value(answers)
    assert found == (None if value is None else pytest.approx(value))


MANY = np.random.default_rng(0)
PLACES = MANY.integers(7, size=200)
SCORES = MANY.random((200, 7)) + np.eye(7)[PLACES]
SCORES = np.round(SCORES / SCORES.sum(axis=1, keepdims=True), 2)
SCORED = Answers(PLACES, SCORES.argmax(1), SCORES / SCORES.sum(axis=1, keepdims=True))
REAL = Answers(MANY.normal(size=200), MANY.normal(size=200))
READ = Answers(np.array(["one two", "three"] * 100), np.array(["one", "tree", "one two", ""] * 50))


@pytest.mark.parametrize("id", [one.id for one in METRICS])
def test_samples_that_count_several_times_give_what_the_library_says_of_them(id: str) -> None:
    metric = METRICS[id]
    answers = {Needs.NUMBERS: REAL, Needs.TEXTS: READ}.get(metric.needs, SCORED)
    rows = np.random.default_rng(1).integers(200, size=200)
    scores = None if answers.scores is None else answers.scores[rows]
    again = Answers(answers.labels[rows], answers.found[rows], scores)
    for times, expected in ((np.ones(200), answers), (np.bincount(rows, minlength=200).astype(float), again)):
        assert metric.weighed(metric.parts(answers), times) == pytest.approx(metric.value(expected), abs=1e-12)
    assert len(metric.each(answers)) == 200


def ids(outputs: list[np.ndarray], labels: np.ndarray) -> dict[str, float]:
    """Return the figures of answers by the id of their metric."""
    graded = quality.graded(outputs, labels)
    return {one.id: one.value for one in figures.of(graded.meeting, outputs, labels, reads=False)}


def test_classes_numbers_and_scores_get_their_own_metrics() -> None:
    logits = np.log(SURE).astype(np.float32) + 3
    expected = {"balanced_accuracy", "macro_f1", "auroc", "log_loss", "calibration_error"}
    assert ids([logits], LABELS).keys() == expected
    assert ids([logits], LABELS)["log_loss"] == pytest.approx(METRICS["log_loss"].value(CLASSES), rel=1e-5)
    single = (logits[:, 1:] - logits[:, :1]).astype(np.float32)
    assert ids([single], LABELS)["log_loss"] == pytest.approx(METRICS["log_loss"].value(CLASSES), rel=1e-5)
    named = [np.array(["b", "b", "a", "a"]), SURE[:, ::-1].astype(np.float32)]
    by_name = ids(named, np.array(["b", "b", "b", "a"]))
    assert by_name.keys() == expected
    assert by_name["log_loss"] == pytest.approx(METRICS["log_loss"].value(CLASSES), rel=1e-5)
    assert by_name["auroc"] == 1.0
    assert ids(named, np.array(["b", "b", "b", "c"])).keys() == {"balanced_accuracy", "macro_f1"}
    numbers = np.array([[1.0], [2.0], [4.0], [4.5]], np.float32)
    assert ids([numbers], np.array([1.0, 2.0, 3.0, 4.5])).keys() == {"mean_absolute_error", "r2"}


def test_every_metric_is_on_the_shelf_with_words() -> None:
    assert all(one.title and one.sentence.endswith(".") for one in METRICS)
    assert Dataset({}, None, 0).reads is False


def chosen(id: str, outputs: list[np.ndarray], labels: np.ndarray) -> Quality:
    """Return the quality of answers by a metric."""
    return figures.chosen(id, quality.graded(outputs, labels), outputs, labels, reads=False)[0]


def test_a_metric_that_is_chosen_is_the_quality() -> None:
    found = chosen("auroc", [np.log(SURE).astype(np.float32)], LABELS)
    assert (found.metric, found.value, found.correct, found.doubt) == ("Area under the ROC curve", 1.0, None, "")
    assert "counted in points" in found.notes[-1]
    numbers = np.array([[1.0], [2.0], [5.0]], np.float32)
    assert chosen("mean_absolute_error", [numbers], np.array([1.0, 2.0, 3.5])).value == pytest.approx(0.5)


def test_a_metric_that_does_not_fit_names_those_that_do() -> None:
    with pytest.raises(Refused, match="no numbers") as caught:
        chosen("mean_absolute_error", [np.log(SURE).astype(np.float32)], LABELS)
    assert "balanced_accuracy, macro_f1, auroc" in caught.value.next_step
    with pytest.raises(Refused, match="a label of each class"):
        chosen("auroc", [np.log(SURE).astype(np.float32)], np.zeros(4, int))


@pytest.mark.parametrize("id", ["balanced_accuracy", "macro_f1"])
def test_labels_that_are_never_answered_are_no_base(id: str) -> None:
    """The source is never right, so that a variant cannot lose: a metric of the task proves no more by it than right answers do."""
    labels = np.repeat([0, 1, 2], 100)
    answers = (5 * np.eye(3)[labels]).astype(np.float32)
    strangers = Dataset({}, labels + 10, len(labels))
    graded = quality.one_by_one([answers], strangers)
    found, told = figures.chosen(id, graded, [answers], labels + 10, reads=False)
    loss = redrawn.loss(METRICS[id], told, told)
    assert loss is not None
    assert paired.verdict(loss, 0.02) is Verdict.PASS, "what a bound alone would say"
    kept = allowed_loss.kept(Qualities(found, found, loss), 0.02, "samples")
    assert kept.verdict is Verdict.NOT_PROVEN
    assert "agree with 0 of 300 answers" in kept.reason
    assert found.doubt


def test_a_figure_that_no_one_needs_a_model_for_is_no_base() -> None:
    always = np.tile(np.array([[2.0, 1.0, 0.0]], np.float32), (30, 1))
    labels = np.repeat([0, 1, 2], 10)
    assert "one answer to everything" in chosen("balanced_accuracy", [always], labels).doubt
    right = (5 * np.eye(3)[labels]).astype(np.float32)
    assert not chosen("balanced_accuracy", [right], labels).doubt
    missing = chosen("balanced_accuracy", [right[:20]], labels[:20])
    assert "2 of the model's 3 have a sample" in missing.doubt
