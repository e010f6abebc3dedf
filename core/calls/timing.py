"""Time one file alone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, SEED, Call, Here
from core.calls.opening import Opened, files, opened, opener_on
from core.domain.profile import Timing
from core.domain.work import Golden, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench

GOLDEN = "golden.npz"


@dataclass(frozen=True)
class Request:
    """The model, the samples of a call, the threads of the runtime, the seconds that it may take, and the seed of its order."""

    model: Opened
    batch: int
    threads: int
    seconds: float
    seed: int


def work(request: Request, here: Here) -> Timing:
    """Time the model on recorded inputs."""
    from core.proof import golden, timing

    inputs, batch = golden.read(IN / GOLDEN).ordinary(request.batch)
    opener = opener_on(request.model, request.threads, here)
    return timing.timed(opener, inputs, batch, request.threads, request.seed, request.seconds, here)


CALL = Call("timing", Request, Timing, work)


def ask(bench: "Bench", model: Model, golden: Golden, batch: int = 1, threads: int = 1, seconds: float = 8.0) -> Timing:
    """Time once, when nobody else measures on this machine. Raises Refused where the runtime has no setting for its threads."""
    key = ("timing", model, batch, threads, seconds)
    return bench.once(
        key, lambda: _ask(bench, model, golden, Request(opened(bench, model), batch, threads, seconds, SEED))
    )


def _ask(bench: "Bench", model: Model, golden: Golden, request: Request) -> Timing:
    blobs = {**files(bench, model), GOLDEN: golden.sha256}
    with bench.alone(), bench.call(CALL, request, blobs, runtime_for(model.format).kind) as done:
        return done.value
