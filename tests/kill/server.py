"""A server to be killed: for each folder named on stdin, a fork of this process writes blobs, rows and jobs until it dies.

It prints one line for each thing before or after it happened: ``pid``, ``worker``, ``artifact``, ``removing``, ``job``;
and ``dead`` when the fork is gone.
"""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from core.domain.artifact import Artifact
from core.domain.codec import Json
from core.domain.errors import Crashed, PortolanError, Refused
from core.domain.job import State
from core.domain.recipe import Step
from core.jobs.engines.local import LocalEngine
from core.jobs.queue import Queue
from core.jobs.verb import Verb, Verbs
from core.memory.blobs import Blobs
from core.memory.store import Store
from core.sandbox.tools import Tools

VISITOR = "ann"
WORKER = "import os, sys\nwith open(sys.argv[1], 'wb') as f:\n for _ in range(int(sys.argv[2])): f.write(os.urandom(2000)); f.flush()"


def say(*words: object) -> None:
    """Print one line in one write, so that a line is whole or absent."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def grow(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Have a child process write a file, as the sandbox does, and store what it wrote."""
    out = Path(args["folder"]) / args["nonce"]
    tools.progress(0.1, "Growing")
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", WORKER, str(out), str(args["pieces"])]) as child:
        say("worker", child.pid)
    if child.returncode != 0:
        raise Crashed(f"The child was ended by signal {-child.returncode}.", "Run it again.")
    blob = tools.blobs.put(out)
    out.unlink()
    return {"sha256": blob.sha256, "size": blob.size}


def record(store: Store, visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> str | None:
    """Write the grown artifact under its parent, with a report that names its blob."""
    step = Step("grow", {"nonce": args["nonce"]})
    artifact = store.add_artifact(visitor, **result, format="onnx", name="grown", parent=args["artifact"], step=step)
    store.add_report(visitor, artifact.id, "parity", {"golden": args["sha256"]}, blobs=[result["sha256"]], job=job)
    return artifact.id


def title(args: dict[str, Any]) -> str:
    """Name the job."""
    return f"Grow {args['nonce']}"


Plain = dict[str, Json]
VERBS: Verbs = {"grow": Verb("grow", Plain, Plain, grow, record, title, page="models.py")}


class Server:
    """Three loops at once: uploads, jobs, and removals with sweeps."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "scratch"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store = Store(home, Blobs(home / "blobs", reserve_bytes=0))
        self.queue = Queue(self.store, None, LocalEngine(), VERBS)  # type: ignore[arg-type]
        self.dice = random.Random(os.urandom(8))

    def run(self) -> None:
        """Work until the end."""
        for job in self.queue.jobs(VISITOR):
            if job.state.repeatable:
                self.queue.retry(VISITOR, job.id)
        loops = [threading.Thread(target=self.forever, args=(act,)) for act in (self.upload, self.order, self.tidy)]
        for loop in loops:
            loop.start()
        for loop in loops:
            loop.join()

    def forever(self, act: Callable[[], None]) -> None:
        """Repeat; a parent that was removed meanwhile or is in use is no accident."""
        while True:
            try:
                act()
            except PortolanError as error:
                if not isinstance(error, Refused) and error.kind != "not found":
                    say("accident", type(error).__name__, error)
            except Exception as error:
                say("accident", type(error).__name__, error)

    def any(self) -> Artifact | None:
        """Return one of the artifacts."""
        artifacts = self.store.artifacts(VISITOR)
        return self.dice.choice(artifacts) if artifacts else None

    def upload(self) -> None:
        """Store a file of up to 300 KB piece by piece, then its row, sometimes under a parent."""
        parent = self.any() if self.dice.random() < 0.5 else None
        with self.store.blobs.writer() as writer:
            for _ in range(self.dice.randrange(1, 6)):
                writer.write(os.urandom(self.dice.randrange(1, 60_000)))
            blob = writer.commit()
        lineage = {"parent": parent.id, "step": Step("grow")} if parent else {}
        made = self.store.add_artifact(VISITOR, **vars(blob), format="onnx", name="uploaded", **lineage)
        say("artifact", made.id, made.sha256)

    def order(self) -> None:
        """Submit a job twice and wait for its end."""
        parent = self.any()
        if parent is None:
            return
        args = {"artifact": parent.id, "sha256": parent.sha256, "pieces": self.dice.randrange(1, 50)}
        args |= {"nonce": os.urandom(6).hex(), "folder": str(self.folder)}
        job = self.queue.submit(VISITOR, "grow", args)
        if self.queue.submit(VISITOR, "grow", args).id != job.id:
            say("accident", "two jobs of equal work")
        if (ended := self.queue.wait(VISITOR, job.id, 20)).state is State.DONE:
            say("job", ended.id)

    def tidy(self) -> None:
        """Remove an artifact, or sweep what no row of an earlier life names."""
        threading.Event().wait(0.03)
        if self.dice.random() < 0.2:
            self.store.sweep(age=5)
        elif self.dice.random() < 0.5 and (artifact := self.any()):
            say("removing", artifact.id)
            self.store.remove_artifact(VISITOR, artifact.id)


def main() -> None:
    """Fork a server for each folder, and say when it is dead."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            say("pid", os.getpid())
            Server(Path(line.strip())).run()
        os.waitpid(child, 0)
        say("dead")


if __name__ == "__main__":
    main()
