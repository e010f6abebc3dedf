"""Ask an engine for its own times of operators, where it has some."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, OUT, Call, Here
from core.calls.opening import Opened, files, opened, runtime_of
from core.domain.operators import EngineTrace, Spent
from core.domain.references import Sha256
from core.domain.work import Golden, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench

GOLDEN, TRACE = "golden.npz", "trace.json"
SECONDS, FEWEST, MOST = 2.0, 4, 200


@dataclass(frozen=True)
class Request:
    """The model, and the samples of a call."""

    model: Opened
    batch: int


def work(request: Request, here: Here) -> EngineTrace:
    """Trace calls on recorded inputs, and keep the engine's events in ``out/trace.json`` where it has some."""
    from core.proof import golden
    from core.proof.parity import feed

    model, runtime = request.model, runtime_of(request.model, here)
    session = runtime.open_traced(IN / model.file, model.format, model.given)
    fed = feed(session, golden.read(IN / GOLDEN).ordinary(request.batch)[0])
    session.run(fed)
    until, calls = time.monotonic() + SECONDS, list[list[Spent]]()
    while len(calls) < FEWEST or (len(calls) < MOST and time.monotonic() < until):
        calls.append(session.spent(fed, OUT / TRACE))
    return EngineTrace.of(runtime.title, calls)


CALL = Call("spent", Request, EngineTrace, work)


def ask(bench: "Bench", model: Model, golden: Golden, batch: int = 1) -> tuple[EngineTrace, Sha256 | None]:
    """Trace when nobody else measures on this machine; return also the blob of the engine's events, where it has some."""
    blobs = {**files(bench, model), GOLDEN: golden.sha256}
    request, kind = Request(opened(bench, model), batch), runtime_for(model.format).kind
    with bench.alone(), bench.call(CALL, request, blobs, kind) as done:
        kept = done.folder / TRACE
        return done.value, bench.keep(kept).sha256 if kept.exists() else None
