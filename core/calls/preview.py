"""Show some samples of a data set on their way into a model."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.calls.call import Call, Here
from core.calls.opening import Opened, Samples, dataset_of, files, opened, required, samples, session_of
from core.domain.errors import Refused
from core.domain.runtime import Session
from core.domain.task import Shown, Task
from core.domain.work import Data, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench


@dataclass(frozen=True)
class Request:
    """The model and the samples."""

    model: Opened
    data: Samples | None
    task: Task | None = None
    """What is said without samples."""


@dataclass(frozen=True)
class Answer:
    """The task, declared or guessed, some samples, and how the data were read."""

    task: Task
    shown: tuple[Shown, ...]
    read: tuple[str, ...]


def work(request: Request, here: Here) -> Answer:
    """Prepare some samples step by step, and run the model on them. Raises Refused for data that are no pictures, or a model that takes none."""
    from core.proof import preview
    from core.proof.pictures import Pictures

    session = session_of(request.model, here)
    if request.data is None:
        return Answer(_without_samples(session, request.task), (), ())
    dataset = required(dataset_of(request.data, session))
    if not isinstance(dataset, Pictures) and request.data.task and request.data.task.metric:
        return Answer(request.data.task, (), dataset.notes)
    if not isinstance(dataset, Pictures):
        raise Refused(
            "These samples are numbers already, so there is nothing to prepare.",
            "Choose a zip of pictures to see how they become inputs.",
        )
    return Answer(dataset.task, preview.shown(session, dataset), dataset.notes)


def _without_samples(session: Session, task: Task | None) -> Task:
    """Return the guess with the metric that is named; of a model that takes no pictures, what is named alone."""
    from core.proof import guessing

    try:
        guess = guessing.of_pictures(session.signature, session.metadata)
    except Refused:
        if task is None:
            raise
        return task
    return replace(guess, metric=task.metric) if task else guess


CALL = Call("preview", Request, Answer, work)


def ask(bench: "Bench", model: Model, data: Data | None, task: Task | None = None) -> Answer:
    """Show samples; without any, only guess the task."""
    request, blobs = Request(opened(bench, model), samples(data), task), files(bench, model, data)
    with bench.call(CALL, request, blobs, runtime_for(model.format).kind) as done:
        return done.value
