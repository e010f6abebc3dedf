"""Measure a model by every metric that fits its answers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls import evaluate
from core.calls.call import Call, Here
from core.calls.evaluate import EACH, Measured
from core.calls.opening import Opened, Samples, dataset_of, files, opened, required, samples, session_of
from core.domain.metric import Figure
from core.domain.report import Quality
from core.domain.work import Data, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench


@dataclass(frozen=True)
class Request:
    """The model and the samples."""

    model: Opened
    data: Samples | None


@dataclass(frozen=True)
class Answer:
    """The quality, None without labels, and the figures beside it."""

    quality: Quality | None
    figures: tuple[Figure, ...]


def work(request: Request, here: Here) -> Answer:
    """Answer all samples once, measure the answers beside the labels, and write how right each is as ``evaluate`` does."""
    from core.proof import figures, quality

    session = session_of(request.model, here)
    dataset = required(dataset_of(request.data, session))
    if dataset.labels is None:
        return Answer(None, ())
    outputs = quality.answers(session, dataset)
    graded = quality.one_by_one(outputs, dataset)
    found = evaluate.judged(graded, outputs, dataset, evaluate.metric_of(request.data))
    return Answer(found.quality, figures.of(graded.meeting, outputs, dataset.labels, dataset.reads))


CALL = Call("figures", Request, Answer, work)


def ask(bench: "Bench", model: Model, data: Data) -> tuple[Figure, ...]:
    """Measure once for each model and data set; ``evaluate`` need not answer the samples again."""
    return bench.once(("figures", model, data), lambda: _ask(bench, model, data))


def _ask(bench: "Bench", model: Model, data: Data) -> tuple[Figure, ...]:
    request, blobs = Request(opened(bench, model), samples(data)), files(bench, model, data)
    with bench.call(CALL, request, blobs, runtime_for(model.format).kind) as done:
        if done.value.quality:
            each = bench.keep(done.folder / EACH).sha256
            evaluate.remember(bench, model, data, Measured(done.value.quality, each))
        return done.value.figures
