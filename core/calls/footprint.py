"""Measure the memory that a model takes, in fresh processes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, Call, Here
from core.calls.opening import Opened, files, opened, opener
from core.domain.overhead import Footprint
from core.domain.work import Golden, Model
from core.runtimes import RUNTIMES, runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench

GOLDEN = "golden.npz"
PROCESSES = 3
"""Fresh processes whose median counts: the residence of one and the same file was seen to take two values."""


@dataclass(frozen=True)
class Request:
    """The model and the batch."""

    model: Opened
    batch: int


def work(request: Request, here: Here) -> Footprint:
    """Measure while the model is opened and while it answers recorded inputs."""
    from core.proof import golden, memory

    inputs, batch = golden.read(IN / GOLDEN).ordinary(request.batch)
    packages = RUNTIMES[request.model.runtime].packages
    return memory.footprint(IN / request.model.file, packages, opener(request.model, here), inputs, batch)


CALL = Call("footprint", Request, Footprint, work)


def ask(bench: "Bench", model: Model, golden: Golden, batch: int = 1, processes: int | None = None) -> Footprint:
    """Measure once, in some fresh processes, when nobody else measures on this machine."""
    n = processes or PROCESSES
    return bench.once(("footprint", model, batch, n), lambda: _ask(bench, model, golden, batch, n))


def _ask(bench: "Bench", model: Model, golden: Golden, batch: int, processes: int) -> Footprint:
    request = Request(opened(bench, model), batch)
    blobs = {**files(bench, model), GOLDEN: golden.sha256}
    kind, runs = runtime_for(model.format).kind, list[Footprint]()
    with bench.alone():
        for _ in range(processes):
            with bench.call(CALL, request, blobs, kind) as done:
                runs.append(done.value)
    return Footprint.of(runs)
