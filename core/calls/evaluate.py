"""Measure a model on labelled data, alone or against another on the same samples."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.calls.call import IN, OUT, Call, Here
from core.calls.opening import Opened, Samples, dataset_of, files, opened, samples, session_of
from core.domain.errors import Refused
from core.domain.loss import PairedLoss
from core.domain.measures import Qualities
from core.domain.metric import Answers
from core.domain.report import Quality
from core.domain.work import Data, Golden, Model
from core.metrics import METRICS
from core.runtimes import runtime_for

if TYPE_CHECKING:
    import numpy as np

    from core.calls.bench import Bench
    from core.proof.dataset import Dataset
    from core.proof.quality import Graded

EACH, BEFORE = "each.npz", "before.npz"


@dataclass(frozen=True)
class Request:
    """The model and the samples."""

    model: Opened
    data: Samples | None


@dataclass(frozen=True)
class Answer:
    """The quality, and what was lost against the other model where its samples came along."""

    quality: Quality
    loss: PairedLoss | None = None


@dataclass(frozen=True)
class Measured:
    """The quality of a model, and the blob that says of each sample whether it is right, its squared error, or the answer that a metric looks at."""

    quality: Quality
    each: str
    loss: PairedLoss | None = None


def work(request: Request, here: Here) -> Answer:
    """Measure by the metric of the task, or else count right answers, or the error of numbers; ``out/each.npz`` says it of each sample, as ``in/before.npz`` does of the other model."""
    from core.proof import quality

    session = session_of(request.model, here)
    dataset = dataset_of(request.data, session)
    if dataset is None:
        raise Refused("There is no data set to measure with.", "Add one with labels.")
    outputs = quality.answers(session, dataset)
    found = quality.one_by_one(outputs, dataset)
    return judged(found, outputs, dataset, metric_of(request.data))


def metric_of(data: Samples | None) -> str:
    """Return the metric that the task of the data names, empty for none."""
    return data.task.metric if data and data.task else ""


def judged(graded: "Graded", outputs: "list[np.ndarray]", dataset: "Dataset", metric: str) -> Answer:
    """Return the quality, write down what it was found by, and bound the loss against the other model where its answers came along.

    Raises Refused where the metric is not defined for the answers, unless the other model was measured by it: then nothing is proven.
    """
    from core.proof import figures, paired, redrawn

    before, quality = _before(), graded.quality
    independent = dataset.cut.independent if dataset.cut else None
    if not metric:
        _write(each=graded.each)
        alike = before.keys() == {"each"}
        return Answer(quality, paired.of(before["each"], graded.each, _reach(dataset), independent) if alike else None)
    try:
        quality, answers = figures.chosen(metric, graded, outputs, _labels(dataset), dataset.reads)
    except Refused:
        if not before:
            raise
        _write(each=graded.each)
        return Answer(quality)
    _write(**{name: value for name, value in vars(answers).items() if value is not None})
    alike = before.keys() - {"scores"} == {"labels", "found"}
    return Answer(quality, redrawn.loss(METRICS[metric], Answers(**before), answers, independent) if alike else None)


def _reach(dataset: "Dataset") -> float:
    """Return the square of how far labels that are numbers are apart: an error that any answer may have."""
    labels = _labels(dataset)
    return float(labels.max() - labels.min()) ** 2 if labels.dtype.kind in "fiu" else 0.0


def _labels(dataset: "Dataset") -> "np.ndarray":
    """Return the labels. Raises ValueError without any, with which nothing could have been graded."""
    if dataset.labels is None:
        raise ValueError("answers were graded without labels")
    return dataset.labels


def _before() -> "dict[str, np.ndarray]":
    import numpy as np

    if not (IN / BEFORE).exists():
        return {}
    with np.load(IN / BEFORE, allow_pickle=False) as held:
        return {name: held[name] for name in held.files}


def _write(**arrays: "np.ndarray") -> None:
    import numpy as np

    np.savez(OUT / EACH, allow_pickle=False, **arrays)


CALL = Call("evaluate", Request, Answer, work)


def ask(bench: "Bench", model: Model, data: Data) -> Quality:
    """Measure once for each model and data set."""
    return _measured(bench, model, data).quality


def both(bench: "Bench", source: Model, target: Model, data: Data, read: Data | None = None) -> Qualities:
    """Measure two models on the same samples, which the target may have to be given otherwise, and what the second lost."""
    before = _measured(bench, source, data)
    after = _ask(bench, target, read or data, {BEFORE: before.each})
    return Qualities(before.quality, after.quality, after.loss)


def as_read(data: Data | None, golden: Golden) -> Data | None:
    """Return the data as the recorded model read it, for a file made of it that has forgotten the names of its columns, or what its task was guessed from."""
    if data is None:
        return None
    known = golden.evidence
    return replace(data, columns=known.columns or data.columns, task=known.task or data.task)


def remember(bench: "Bench", model: Model, data: Data, found: Measured) -> None:
    """Keep a quality that was found on the way."""
    bench.once(_key(model, data), lambda: found)


def _measured(bench: "Bench", model: Model, data: Data) -> Measured:
    return bench.once(_key(model, data), lambda: _ask(bench, model, data, {}))


def _key(model: Model, data: Data) -> tuple[object, ...]:
    return "evaluate", model, data


def _ask(bench: "Bench", model: Model, data: Data, beside: dict[str, str]) -> Measured:
    request, blobs = Request(opened(bench, model), samples(data)), {**files(bench, model, data), **beside}
    with bench.call(CALL, request, blobs, runtime_for(model.format).kind) as done:
        return Measured(done.value.quality, bench.keep(done.folder / EACH).sha256, done.value.loss)
