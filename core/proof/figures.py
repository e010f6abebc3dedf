"""Measures answers by every metric that fits their kind."""

from dataclasses import replace

import numpy as np

from core.domain.errors import Refused
from core.domain.metric import Answers, Figure, Metric, Needs
from core.domain.report import Quality
from core.metrics import METRICS
from core.proof.meeting import Meeting
from core.proof.predictions import prediction
from core.proof.quality import Graded

SUM = 1e-3
"""By how much the scores of a sample may miss 1 and still be probabilities, as halves round them."""


LACKS = {
    Needs.CLASSES: "these are no classes.",
    Needs.SCORES: "it needs a score for each class, and a label of each class where every class counts.",
    Needs.NUMBERS: "these are no numbers, or all labels are equal.",
    Needs.TEXTS: "these are no texts that the model reads.",
}


def of(meeting: Meeting | None, outputs: list[np.ndarray], labels: np.ndarray, reads: bool) -> tuple[Figure, ...]:
    """Return the figures of answers beside their labels, which met where they are classes or texts; metrics that are not defined for them are left out."""
    figures = []
    for kind, answers in _answers(meeting, outputs, labels, reads).items():
        for metric in METRICS:
            value = metric.value(answers) if metric.needs is kind else None
            if value is not None and np.isfinite(value):
                figures.append(Figure(metric.id, metric.title, float(value), len(answers.labels), metric.higher))
    return tuple(figures)


def chosen(
    id: str, graded: Graded, outputs: list[np.ndarray], labels: np.ndarray, reads: bool
) -> tuple[Quality, Answers]:
    """Return the quality by one metric, and the answers that it was found by. Raises Refused where it is not defined for these answers."""
    metric = METRICS[id]
    kinds = _answers(graded.meeting, outputs, labels, reads)
    answers = kinds.get(metric.needs)
    value = None if answers is None else metric.value(answers)
    if answers is None or value is None or not np.isfinite(value):
        able = [one.id for one in METRICS if one.needs in kinds and one.value(kinds[one.needs]) is not None]
        raise Refused(
            f"{metric.title} is not defined for these answers and labels: {LACKS[metric.needs]}",
            f"Choose a metric that is: {', '.join(able) or 'none is'}; or none, for right answers or RMSE.",
        )
    quality = graded.quality
    doubt = quality.doubt if quality.unmet else _doubt(metric, value, answers, graded.meeting)
    found = replace(
        quality,
        metric=metric.title,
        value=float(value),
        correct=None,
        doubt=doubt,
        notes=(*quality.notes, metric.counted),
    )
    return found, answers


def _doubt(metric: Metric, value: float, answers: Answers, meeting: Meeting | None) -> str:
    """Say why a figure is no base to hold a variant against; empty where it is one."""
    bar = metric.blind(answers)
    if bar is not None and (value <= bar if metric.higher else value >= bar):
        return (
            f"{metric.title} {value:.4g} is no better than the {bar:.4g} of one answer to everything, "
            "so this is no quality that could be kept or lost."
        )
    seen = len(set(answers.labels.tolist()))
    if metric.by_class and meeting is not None and meeting.counted and seen < meeting.classes:
        return (
            f"{metric.title} is the mean of all classes, and {seen:,} of the model's {meeting.classes:,} have a sample here: "
            "nothing shows what the others lose."
        )
    return ""


def _answers(
    meeting: Meeting | None, outputs: list[np.ndarray], labels: np.ndarray, reads: bool
) -> dict[Needs, Answers]:
    """Return the answers by the kinds that they are."""
    if meeting is None:
        numbers = next(out for out in outputs if out.dtype.kind == "f" and out.size == len(out))
        return {Needs.NUMBERS: Answers(labels, numbers.reshape(-1).astype(np.float64))}
    plain = Answers(meeting.labels, meeting.found)
    if reads:
        return {Needs.TEXTS: plain}
    scored = _scored(meeting, outputs)
    return {Needs.CLASSES: plain} | ({Needs.SCORES: scored} if scored else {})


def _scored(meeting: Meeting, outputs: list[np.ndarray]) -> Answers | None:
    """Return labels as places among the probabilities of the classes; None without a score for each class, or where it is not known which class a score is of."""
    scores = _probabilities(outputs)
    if scores is None:
        return None
    best = scores.argmax(axis=1)
    if meeting.counted:
        return Answers(meeting.labels, best, scores) if meeting.labels.max() < scores.shape[1] else None
    place = {answer: int(where) for answer, where in zip(meeting.found.tolist(), best, strict=True)}
    told = [place.get(answer) for answer in meeting.found.tolist()]
    if told != best.tolist() or not set(meeting.labels.tolist()) <= place.keys():
        return None
    return Answers(np.array([place[label] for label in meeting.labels.tolist()]), best, scores)


def _probabilities(outputs: list[np.ndarray]) -> np.ndarray | None:
    """Return probabilities [n, classes]: the scores themselves, or the softmax (of a single score the logistic function) of what are none."""
    found = prediction(outputs)
    scores = None if found is None else found[1]
    if scores is None:
        single = next((out for out in outputs if out.dtype.kind == "f" and out.size == len(out)), None)
        if single is None or not np.isfinite(single).all():
            return None
        yes = single.reshape(-1).astype(np.float64)
        yes = yes if yes.min() >= 0 and yes.max() <= 1 else 0.5 * (1 + np.tanh(yes / 2))
        return np.stack([1 - yes, yes], axis=1)
    if scores.ndim != 2 or scores.shape[1] < 2 or not np.isfinite(scores).all():
        return None
    wide = scores.astype(np.float64)
    if wide.min() < 0 or np.abs(wide.sum(axis=1) - 1).max() > SUM:
        wide = np.exp(wide - wide.max(axis=1, keepdims=True))
    probabilities: np.ndarray = wide / wide.sum(axis=1, keepdims=True)
    return probabilities
