"""Measures a model on labelled data: accuracy where it names classes, root mean square error where it predicts a number."""

import math
from dataclasses import dataclass, replace

import numpy as np

from core.domain.errors import Refused, Trouble
from core.domain.report import Count, Quality
from core.domain.runtime import Session
from core.proof.dataset import Dataset
from core.proof.labels import OPTION, natural, some
from core.proof.meeting import Meeting, aligned, signed
from core.proof.predictions import label, prediction
from core.proof.samples import Sampler

CHUNK = 256
CLASSES = 100
"""Above so many no class is counted alone."""


@dataclass(frozen=True)
class Graded:
    """The quality of some answers, and each of them: right or wrong [n] bool, or its squared error [n] float64."""

    quality: Quality
    each: np.ndarray
    meeting: Meeting | None = None
    """Labels and answers beside each other, where these are classes."""


def evaluate(session: Session, dataset: Dataset) -> Quality:
    """Run the model on every row and score it. Raises Refused without labels, or when labels and answers do not fit."""
    return measured(answers(session, dataset), dataset)


def measured(outputs: list[np.ndarray], dataset: Dataset) -> Quality:
    """Score the answers to a data set; see ``one_by_one``."""
    return one_by_one(outputs, dataset).quality


def one_by_one(outputs: list[np.ndarray], dataset: Dataset) -> Graded:
    """Score the answers to a data set, and say what was assumed of its labels and whether they can be what the model answers."""
    if dataset.labels is None:
        raise Refused("The data set has no labels.", "Name the label column, or call it y, label or target.")
    graded = _graded(outputs, dataset.labels, dataset.names)
    unmet, doubt = _doubted(graded, dataset)
    notes = (*dataset.notes, *graded.quality.notes)
    return replace(graded, quality=replace(graded.quality, notes=notes, unmet=unmet, doubt=doubt))


def _doubted(graded: Graded, dataset: Dataset) -> tuple[Trouble | None, str]:
    """Return why labels and answers are not the same thing, and why the quality is no base; nothing where it is one."""
    if dataset.reads:
        return None, "" if graded.each.any() else "Not one text is read right, so nothing could be kept or lost."
    if graded.meeting:
        return graded.meeting.judged(graded.quality)
    return None, _no_base(graded, np.asarray(dataset.labels))


def graded(outputs: list[np.ndarray], labels: np.ndarray) -> Graded:
    """Score the answers to every row. Raises Refused when labels and answers do not fit."""
    return _graded(outputs, labels, ())


def _graded(outputs: list[np.ndarray], labels: np.ndarray, names: tuple[str, ...]) -> Graded:
    found = prediction(outputs)
    if found is not None and found[0].shape == (len(labels), 1):
        counted = label(outputs) is None
        width = found[1].shape[-1] if found[1] is not None else 0
        return _classified(found[0][:, 0], labels, names, width, counted=counted)
    values = next((out.reshape(len(out)) for out in outputs if out.dtype.kind == "f" and out.size == len(out)), None)
    if values is None or labels.dtype.kind == "U":
        raise Refused(
            "The model answers with neither one class nor one number per sample.",
            "Measure its quality outside Portolan, with the metric of its task.",
        )
    if set(np.unique(labels)) <= {0, 1} or signed(labels):
        return _classified((values > _cut(values)).astype(np.int64), labels, names, 2, counted=True)
    squares = (values.astype(np.float64) - labels) ** 2
    return Graded(Quality("RMSE", math.sqrt(float(np.mean(squares))), len(labels)), squares)


def _no_base(graded: Graded, labels: np.ndarray) -> str:
    """Say why an error is no base, where the mean of the labels would err no more; empty where it is one."""
    error, spread = graded.quality.value, float(np.std(labels.astype(np.float64)))
    if error == 0 or error < spread:
        return ""
    kinds = len(np.unique(labels))
    hint = (
        f" If the {kinds} labels {some(np.unique(labels).tolist())} are classes, write them as 0 and 1."
        if kinds == 2
        else ""
    )
    return (
        f"The root mean square error of {error:.4g} is no smaller than the {spread:.4g} that always answering "
        f"the mean of the labels gives, so this is no quality that could be kept or lost.{hint}"
    )


def answers(session: Session, dataset: Dataset) -> list[np.ndarray]:
    """Run in pieces, padded with the last row where the model insists on a batch, and join the answers, decoded where the task says how."""
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
        pieces.append(dataset.decoded([out[:n] for out in session.run(padded).values()]))
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


def _classified(found: np.ndarray, labels: np.ndarray, names: tuple[str, ...], width: int, *, counted: bool) -> Graded:
    """Count the right answers; labels that are names stand for class numbers where the model answers with these."""
    if labels.dtype.kind == "U" and found.dtype.kind != "U":
        names = natural(labels)
        labels = np.array([names.index(one) for one in labels.tolist()], np.int64)
    if (
        names
        and found.dtype.kind != "U"
        and (width not in (0, len(names)) or not np.isin(found, range(len(names))).all())
    ):
        raise Refused(
            f"The labels name {len(names)} classes ({some(names)}), but the model answers with "
            f"{f'{width} classes' if width else 'numbers'}, known by number only.",
            f"Name all of them in the order of the model: {OPTION} first,second,...",
        )
    found, labels, notes = aligned(found, labels)
    classes = width or len({*found.tolist(), *labels.tolist()})
    meeting = Meeting(found, labels, classes, names, counted)
    right = meeting.right
    count = Count(int(right.sum()), len(right))
    by_class = _by_class(right, labels, names)
    return Graded(Quality("accuracy", count.k / count.n, count.n, count, by_class, notes), right, meeting)


def _by_class(right: np.ndarray, labels: np.ndarray, names: tuple[str, ...]) -> dict[str, Count]:
    values = np.unique(labels)
    if len(values) > CLASSES or len(values) == len(labels) > 1:
        return {}
    counts = {one: Count(int(right[labels == one].sum()), int((labels == one).sum())) for one in values.tolist()}
    return {names[one] if names and isinstance(one, int) else str(one): count for one, count in counts.items()}


def _cut(values: np.ndarray) -> float:
    """Return where a single score becomes a yes: 0.5 for probabilities, 0 for logits."""
    return 0.5 if float(values.min()) >= 0 and float(values.max()) <= 1 else 0.0
