"""Time the stages between raw data and answer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, Call, Here
from core.calls.opening import Opened, Samples, dataset_of, files, opened, samples, session_of
from core.domain.stages import Stages
from core.domain.work import Data, Golden, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench

GOLDEN = "golden.npz"
SECONDS = 2.0


@dataclass(frozen=True)
class Request:
    """The model, raw data where there are some, the samples of a call of a pipeline, and the seconds that it may take."""

    model: Opened
    data: Samples | None
    batch: int
    seconds: float


@dataclass(frozen=True)
class Answer:
    """The stages; None where the data are no pictures and the model has no steps."""

    stages: Stages | None


def work(request: Request, here: Here) -> Answer:
    """Time pictures by their task, or else the steps of a pipeline on recorded inputs."""
    from core.proof import golden, stages
    from core.proof.pictures import Pictures

    session = session_of(request.model, here)
    dataset = dataset_of(request.data, session)
    if isinstance(dataset, Pictures):
        return Answer(stages.of_pictures(session, dataset, request.seconds))
    inputs, batch = golden.read(IN / GOLDEN).ordinary(request.batch)
    return Answer(stages.of_pipeline(session, inputs, batch, request.seconds))


CALL = Call("stages", Request, Answer, work)


def ask(bench: "Bench", model: Model, data: Data | None, golden: Golden, batch: int = 1) -> Stages | None:
    """Time the stages when nobody else measures on this machine. Raises Refused for a picture that cannot be prepared."""
    request = Request(opened(bench, model), samples(data), batch, SECONDS)
    blobs = {**files(bench, model, data), GOLDEN: golden.sha256}
    with bench.alone(), bench.call(CALL, request, blobs, runtime_for(model.format).kind) as done:
        return done.value.stages
