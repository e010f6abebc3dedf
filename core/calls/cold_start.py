"""Time the way from a bare interpreter to a model's first answer, in fresh processes.

Nothing that a runtime needs may be imported when this module is, so the model is named in plain words and opened below.
"""

import importlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from core.calls.call import IN, Call, Here
from core.domain.profile import Start
from core.domain.recipe import Option
from core.domain.work import Golden, Model

if TYPE_CHECKING:
    from core.calls.bench import Bench

GOLDEN = "golden.npz"
STATUS = Path("/proc/self/status")
PROCESSES, SECONDS = 3, 12.0
"""Fresh processes, and the seconds after which no further one is started: some runtimes take as many to import."""
EMPTY = frozenset(("light", "torch", "sklearn"))
"""Kinds of child whose libraries the server's own interpreter has, so that a bare one can import them before our eyes."""


@dataclass(frozen=True)
class Request:
    """The model, the samples of the call, and whether the runtime is imported in this process or was before."""

    file: str
    format: str
    runtime: str
    bare: bool
    batch: int = 1
    given: dict[str, Option] = field(default_factory=dict)


def work(request: Request, here: Here) -> Start:
    """Import, open and ask once."""
    before = _resident()
    imported, added = _imported("numpy") if request.bare else (None, 0.0)
    from core.calls.opening import Opened, opener
    from core.proof import golden
    from core.proof.parity import feed
    from core.proof.probes import PACKAGES
    from core.runtimes import RUNTIMES

    if imported is not None:
        packages = RUNTIMES[request.runtime].packages
        parts = [_imported(module) for module, package in PACKAGES.items() if package in packages]
        imported, added = imported + sum(part[0] for part in parts), added + sum(part[1] for part in parts)
    inputs, _ = golden.read(IN / GOLDEN).ordinary(request.batch)
    opened = Opened(request.file, request.format, request.runtime, request.given)
    open_it = opener(opened, here)
    begun = time.perf_counter()
    session = open_it()
    load = time.perf_counter() - begun
    fed = feed(session, inputs)
    begun = time.perf_counter()
    session.run(fed)
    first = time.perf_counter() - begun
    if imported is None:
        return Start(None, load, first)
    return Start(imported, load, first, python=before, runtime=added)


def _imported(module: str) -> tuple[float, float]:
    """Import a module; return the seconds that it took and the megabytes that it added."""
    before, begun = _resident(), time.perf_counter()
    importlib.import_module(module)
    return time.perf_counter() - begun, _resident() - before


def _resident() -> float:
    """Return the megabytes that this process holds; 0 where the system does not say."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


CALL = Call("cold_start", Request, Start, work)


def ask(bench: "Bench", model: Model, golden: Golden, batch: int = 1) -> Start:
    """Start some fresh processes, one after the other, when nobody else measures on this machine."""
    from core.calls.opening import files, opened
    from core.runtimes import runtime_for

    one, kind = opened(bench, model), runtime_for(model.format).kind
    bare = kind in EMPTY
    request = Request(one.file, one.format, one.runtime, bare, batch, one.given)
    blobs, runs = {**files(bench, model), GOLDEN: golden.sha256}, list[Start]()
    with bench.alone():
        begun = time.monotonic()
        while len(runs) < PROCESSES and (not runs or time.monotonic() < begun + SECONDS):
            with bench.call(CALL, request, blobs, "bare" if bare else kind) as done:
                runs.append(done.value)
    totals = [run.total for run in runs]
    return Start(
        _median([run.imported for run in runs]),
        median(run.load for run in runs),
        median(run.first for run in runs),
        len(runs),
        (min(totals), max(totals)),
        _median([run.python for run in runs]),
        _median([run.runtime for run in runs]),
    )


def _median(values: list[float | None]) -> float | None:
    """Return the median of what was measured; None where nothing was."""
    known = [value for value in values if value is not None]
    return median(known) if known else None
