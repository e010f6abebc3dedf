"""Measures a model on labelled data: accuracy where it names classes, root mean square error where it predicts a number."""

import math
from dataclasses import dataclass

import numpy as np

from core.domain.errors import Refused
from core.domain.report import Count, Quality
from core.domain.runtime import Session
from core.proof.datasets import Dataset
from core.proof.predictions import prediction
from core.proof.samples import Sampler

CHUNK = 256
CLASSES = 100
"""Above so many no class is counted alone."""


@dataclass(frozen=True)
class Graded:
    """The quality of some answers, and each of them: right or wrong [n] bool, or its squared error [n] float64."""

    quality: Quality
    each: np.ndarray


def evaluate(session: Session, dataset: Dataset) -> Quality:
    """Run the model on every row and score it. Raises Refused without labels, or when labels and answers do not fit."""
    if dataset.labels is None:
        raise Refused("The data set has no labels.", "Name the label column, or call it y, label or target.")
    return graded(answers(session, dataset), dataset.labels).quality


def graded(outputs: list[np.ndarray], labels: np.ndarray) -> Graded:
    """Score the answers to every row. Raises Refused when labels and answers do not fit."""
    found = prediction(outputs)
    if found is not None and found[0].shape == (len(labels), 1):
        return _accuracy(_classes(found[0][:, 0], found[1], labels), labels)
    values = next((out.reshape(len(out)) for out in outputs if out.dtype.kind == "f" and out.size == len(out)), None)
    if values is None or labels.dtype.kind == "U":
        raise Refused(
            "The model answers with neither one class nor one number per sample.",
            "Measure its quality outside Portolan, with the metric of its task.",
        )
    if set(np.unique(labels)) == {0, 1}:
        return _accuracy((values > _cut(values)).astype(np.int64), labels)
    squares = (values.astype(np.float64) - labels) ** 2
    return Graded(Quality("RMSE", math.sqrt(float(np.mean(squares))), len(labels)), squares)


def answers(session: Session, dataset: Dataset) -> list[np.ndarray]:
    """Run in pieces, padded with the last row where the model insists on a batch, and join the answers."""
    known = all(spec.shape is not None for spec in session.signature.inputs)
    fixed = Sampler(session, 0).fixed_batch if known else None
    step, pieces = fixed or CHUNK, []
    for start in range(0, dataset.n, step):
        rows = dataset.rows(start, start + step)
        n = len(next(iter(rows.values())))
        padded = (
            {name: np.concatenate([a, np.repeat(a[-1:], step - n, axis=0)]) for name, a in rows.items()}
            if fixed
            else rows
        )
        pieces.append([out[:n] for out in session.run(padded).values()])
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


def _classes(found: np.ndarray, scores: np.ndarray | None, labels: np.ndarray) -> np.ndarray:
    """Return predictions in the labels' own names: a class number stands for the place in the sorted names."""
    if labels.dtype.kind != "U" or found.dtype.kind == "U":
        return found
    names = np.unique(labels)
    if scores is None or len(names) != scores.shape[-1]:
        raise Refused(
            f"The labels are text with {len(names)} different values, but the model answers with class numbers.",
            "Use the class numbers as labels.",
        )
    return np.asarray(names[found])


def _accuracy(found: np.ndarray, labels: np.ndarray) -> Graded:
    if labels.dtype.kind == "f" and np.all(labels == np.floor(labels)):
        labels = labels.astype(np.int64)
    right = found.astype(np.str_) == labels.astype(np.str_)
    count = Count(int(right.sum()), len(right))
    return Graded(Quality("accuracy", count.k / count.n, count.n, count, _by_class(right, labels)), right)


def _by_class(right: np.ndarray, labels: np.ndarray) -> dict[str, Count]:
    names = np.unique(labels)
    if len(names) > CLASSES:
        return {}
    return {str(name): Count(int(right[labels == name].sum()), int((labels == name).sum())) for name in names}


def _cut(values: np.ndarray) -> float:
    """Return where a single score becomes a yes: 0.5 for probabilities, 0 for logits."""
    return 0.5 if float(values.min()) >= 0 and float(values.max()) <= 1 else 0.0
