"""One open Portolan: the store, the sandbox and the queue, with the verbs that jobs may name."""

import os
import threading
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from core.domain.errors import Unavailable
from core.domain.home import default_home
from core.domain.ingestion import IngestRequest
from core.domain.job import Job
from core.domain.recipe import fingerprint
from core.doors.samples import Sample
from core.jobs.engines import Engine, remote_worker
from core.jobs.engines.dask import DaskEngine, share_of
from core.jobs.engines.local import LocalEngine
from core.jobs.queue import Queue
from core.jobs.verb import Verbs
from core.memory.backup import check_whole
from core.memory.blobs import GB
from core.memory.cached_blobs import stored
from core.memory.store import Store
from core.sandbox import Sandbox
from core.verbs import (
    assess,
    compress,
    convert,
    evaluate,
    factors,
    ingest,
    install,
    load,
    migrate,
    portability,
    profile,
    side_by_side,
    task,
    training,
    tune,
    versus,
    watch,
)

VERBS: Verbs = {
    module.VERB.name: module.VERB
    for module in (
        ingest, convert, compress, evaluate, portability, tune, task, assess, migrate, load, profile, versus, training, side_by_side,
        factors, install, watch,
    )
}  # fmt: skip

STAY = frozenset({"install", "load"})
"""What concerns this machine, and never leaves it."""


@dataclass(frozen=True)
class Workspace:
    """The parts that pages, routes and the command line share, and the folder that they live in."""

    home: Path
    store: Store
    sandbox: Sandbox
    queue: Queue

    def close(self) -> None:
        """Stop the jobs, kill the children and close the database."""
        self.queue.close()
        self.sandbox.close()
        self.store.close()


def quota_bytes() -> int | None:
    """Return how much all files together may take: ``PORTOLAN_QUOTA_GB``, or None for what the disk has."""
    chosen = os.environ.get("PORTOLAN_QUOTA_GB")
    return int(float(chosen) * GB) if chosen else None


def engine(home: Path) -> Engine:
    """Return what carries jobs: the cluster of ``PORTOLAN_SCHEDULER``, or threads of this process.

    Raises Refused for an address that is not safe, Unavailable when Dask or a share is missing.
    """
    address = os.environ.get("PORTOLAN_SCHEDULER")
    if not address:
        return LocalEngine()
    share = share_of(address, os.environ.get("PORTOLAN_BLOBS"), f"file://{home.resolve() / 'share'}")
    return DaskEngine(address, carry, share, program(), stay=STAY)


def carry(request: str) -> str:
    """Run a job that a server of this version sent to this Dask worker; JSON in, JSON out."""
    return remote_worker.carry(
        request, {name: verb.work for name, verb in VERBS.items() if name not in STAY}, program()
    )


def open_workspace(home: Path) -> Workspace:
    """Open or create the workspace in a folder; jobs that a dead server left running become interrupted. Raises Unavailable, or Refused for a backup restored in part."""
    check_whole(home)
    carrier = engine(home)
    try:
        store = Store(home, stored(home / "blobs", os.environ.get("PORTOLAN_BLOBS"), quota_bytes()))
        store.own()
        sandbox = Sandbox(home / "scratch")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Unavailable(
            f"The folder {home} cannot be used: {reason}.",
            "Let the user who runs Portolan write there, or set PORTOLAN_HOME to another folder.",
        ) from error
    queue = Queue(store, sandbox, carrier, VERBS, version=program())
    return Workspace(home, store, sandbox, queue)


def program() -> str:
    """Return a fingerprint of this program, so that an answer of an older one is not taken for equal work."""
    root = Path(__file__).parents[1]
    shipped = sorted(path for path in (root / "web").rglob("*") if path.is_file() and path.suffix != ".pyc")
    parts = [*sorted(root.rglob("*.py")), *sorted(root.rglob("*.txt")), *shipped, root.parent / "requirements.txt"]
    return fingerprint([sha256(path.read_bytes()).hexdigest() for path in parts])


_lock = threading.Lock()
_current: Workspace | None = None


def current() -> Workspace:
    """Return this process's workspace, opened at the first call in the default home."""
    global _current
    with _lock:
        if _current is None:
            _current = open_workspace(default_home())
        return _current


def close_current() -> None:
    """Close this process's workspace if it is open."""
    global _current
    with _lock:
        if _current is not None:
            _current.close()
            _current = None


def open_sample(workspace: Workspace, visitor: str, sample: Sample, starter: str | None = None) -> Job:
    """Bring a shipped sample and its test set to the visitor's library, through the same door as an upload."""
    store = workspace.store
    data = store.blobs.put(sample.data)
    store.add_dataset(
        visitor, sha256=data.sha256, size=data.size, name=sample.data.name, sample=sample.id, label=sample.label
    )
    blob = store.blobs.put(sample.model)
    name = f"{sample.id}{sample.model.suffix}"
    request = IngestRequest(blob.sha256, blob.size, name, sample.id)
    return workspace.queue.submit(visitor, "ingest", request, starter)
