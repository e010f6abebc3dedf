"""Keep what a model answers to some data, so that candidates can be scored against it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls import evaluate
from core.calls.call import OUT, Call, Here
from core.calls.evaluate import EACH, Measured
from core.calls.opening import Opened, Samples, dataset_of, files, opened, required, samples, session_of
from core.domain.report import Quality
from core.domain.work import Data, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench

FILE = "answers.npz"


@dataclass(frozen=True)
class Request:
    """The model and the samples."""

    model: Opened
    data: Samples | None


@dataclass(frozen=True)
class Answer:
    """The quality, where there are labels, and the number of samples."""

    quality: Quality | None
    samples: int


def work(request: Request, here: Here) -> Answer:
    """Write ``out/answers.npz``, what the model answers to the data, and beside it how right each answer is."""
    from core.proof import attempts, quality

    session = session_of(request.model, here)
    dataset = required(dataset_of(request.data, session))
    outputs = quality.answers(session, dataset)
    attempts.write_answers(outputs, OUT / FILE)
    if dataset.labels is None:
        return Answer(None, dataset.n)
    found = quality.one_by_one(outputs, dataset)
    evaluate.judged(found, outputs, dataset, "")
    return Answer(found.quality, dataset.n)


CALL = Call("answers", Request, Answer, work)


def ask(bench: "Bench", model: Model, data: Data) -> tuple[str, Quality | None, int]:
    """Return the blob of the answers with the quality, if there are labels, and the number of samples; a search chooses by right answers, whatever the metric."""
    kind = runtime_for(model.format).kind
    with bench.call(CALL, Request(opened(bench, model), samples(data)), files(bench, model, data), kind) as done:
        if done.value.quality and not evaluate.metric_of(samples(data)):
            each = bench.keep(done.folder / EACH).sha256
            evaluate.remember(bench, model, data, Measured(done.value.quality, each))
        return bench.keep(done.folder / FILE).sha256, done.value.quality, done.value.samples
