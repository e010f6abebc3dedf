"""Time calls of growing size along each axis that a model leaves open, and one size on more and more threads."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, SEED, Call, Here
from core.calls.curves import MOST_THREADS
from core.calls.opening import Opened, files, opened, runtime_of
from core.domain.factors import Grown
from core.domain.work import Golden, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench

GOLDEN = "golden.npz"
SECONDS = 0.6
"""For each size, and for each number of threads."""


@dataclass(frozen=True)
class Request:
    """The model, the seconds of a point, and the seed of its order."""

    model: Opened
    seconds: float
    seed: int


def work(request: Request, here: Here) -> Grown:
    """Time each size in one session; sizes that the model does not take are left out."""
    from core.proof import golden, growth, timing

    recorded, runtime, model = golden.read(IN / GOLDEN), runtime_of(request.model, here), request.model
    here(None, "Timing calls of growing size")
    session = runtime.opener(IN / model.file, model.format, model.given)()
    axes = growth.growths(session, recorded, request.seconds)
    inputs, batch = recorded.ordinary(1)
    cores = min(MOST_THREADS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    threads = []
    for n in range(1, cores + 1):
        here(None, f"Timing on {n} threads")
        if opener := runtime.opener_on(IN / model.file, model.format, model.given, n):
            threads.append(timing.timed(opener, inputs, batch, n, request.seed, request.seconds))
    return Grown(tuple(axes), tuple(threads) if len(threads) > 1 else ())


CALL = Call("growth", Request, Grown, work)


def ask(bench: "Bench", model: Model, golden: Golden, seconds: float = SECONDS) -> Grown:
    """Time all of it, when nobody else measures on this machine."""
    request = Request(opened(bench, model), seconds, SEED)
    blobs = {**files(bench, model), GOLDEN: golden.sha256}
    with bench.alone(), bench.call(CALL, request, blobs, runtime_for(model.format).kind) as done:
        return done.value
