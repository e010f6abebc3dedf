"""Time calls of growing size, and one size on more and more threads, in one process."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, SEED, Call, Here
from core.calls.opening import Opened, files, opened, runtime_of
from core.domain.profile import Curves, Timing
from core.domain.work import Golden, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench

GOLDEN = "golden.npz"
BATCHES = 1, 2, 4, 8, 16, 32
MOST_THREADS = 8
SECONDS = 1.0
"""For each point."""


@dataclass(frozen=True)
class Request:
    """The model, the samples of the call that is tried on several threads, the seconds of a point, and the seed of its order."""

    model: Opened
    batch: int
    seconds: float
    seed: int


def work(request: Request, here: Here) -> Curves:
    """Time each point; sizes that the model does not take, and threads that the runtime cannot be given, are left out."""
    from core.proof import golden, timing

    recorded, runtime = golden.read(IN / GOLDEN), runtime_of(request.model, here)
    model = request.model

    def point(batch: int, threads: int) -> Timing | None:
        inputs, samples = recorded.ordinary(batch)
        opener = runtime.opener_on(IN / model.file, model.format, model.given, threads)
        here(None, f"Timing {batch} samples on {threads} threads")
        if opener is None or samples != batch:
            return None
        return timing.timed(opener, inputs, batch, threads, request.seed, request.seconds)

    sizes = (point(batch, 1) for batch in BATCHES)
    cores = min(MOST_THREADS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    wide = (point(request.batch, threads) for threads in range(1, cores + 1))
    grown, spread = (tuple(one for one in points if one is not None) for points in (sizes, wide))
    return Curves(grown if len(grown) > 1 else (), spread if len(spread) > 1 else ())


CALL = Call("curves", Request, Curves, work)


def ask(bench: "Bench", model: Model, golden: Golden, batch: int = 1, seconds: float = SECONDS) -> Curves:
    """Time all points, when nobody else measures on this machine."""
    request = Request(opened(bench, model), batch, seconds, SEED)
    blobs = {**files(bench, model), GOLDEN: golden.sha256}
    with bench.alone(), bench.call(CALL, request, blobs, runtime_for(model.format).kind) as done:
        return done.value
