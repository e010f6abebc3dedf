"""Show some samples of a data set on their way into a model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import Call, Here
from core.calls.opening import Opened, Samples, dataset_of, files, opened, samples, session_of
from core.domain.errors import Refused
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


@dataclass(frozen=True)
class Answer:
    """The task, declared or guessed, some samples, and how the data were read."""

    task: Task
    shown: tuple[Shown, ...]
    read: tuple[str, ...]


def work(request: Request, here: Here) -> Answer:
    """Prepare some samples step by step, and run the model on them. Raises Refused for data that are no pictures, or a model that takes none."""
    from core.proof import guessing, preview
    from core.proof.pictures import Pictures

    session = session_of(request.model, here)
    if request.data is None:
        return Answer(guessing.of_pictures(session.signature, session.metadata), (), ())
    dataset = dataset_of(request.data, session)
    if not isinstance(dataset, Pictures):
        raise Refused(
            "These samples are numbers already, so there is nothing to prepare.",
            "Choose a zip of pictures to see how they become inputs.",
        )
    return Answer(dataset.task, preview.shown(session, dataset), dataset.notes)


CALL = Call("preview", Request, Answer, work)


def ask(bench: "Bench", model: Model, data: Data | None) -> Answer:
    """Show samples; without any, only guess the task."""
    request, blobs = Request(opened(bench, model), samples(data)), files(bench, model, data)
    with bench.call(CALL, request, blobs, runtime_for(model.format).kind) as done:
        return done.value
