"""Look for a mistake in how the pictures of a data set are prepared."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import Call, Here
from core.calls.opening import Opened, Samples, dataset_of, files, opened, samples, session_of
from core.domain.task import Better
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
    """Better steps, or None where these are as good as any that were tried."""

    better: Better | None


def work(request: Request, here: Here) -> Answer:
    """Try other steps on some of the samples, where these are pictures with labels."""
    from core.proof import likely
    from core.proof.pictures import Pictures

    session = session_of(request.model, here)
    dataset = dataset_of(request.data, session)
    return Answer(likely.better(session, dataset) if isinstance(dataset, Pictures) else None)


CALL = Call("likely", Request, Answer, work)


def ask(bench: "Bench", model: Model, data: Data) -> Better | None:
    """Search once for each model and data set; data that are no zip have no steps that could be wrong."""
    if not data.raw:
        return None
    return bench.once(("likely", model, data), lambda: _ask(bench, model, data))


def _ask(bench: "Bench", model: Model, data: Data) -> Better | None:
    request, blobs = Request(opened(bench, model), samples(data)), files(bench, model, data)
    with bench.call(CALL, request, blobs, runtime_for(model.format).kind) as done:
        return done.value.better
