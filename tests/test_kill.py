"""kill -9 at random moments: the store is in its old state or its new one, and what was acknowledged is there."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.domain.codec import Json
from core.domain.job import State
from core.domain.limits import READING
from core.jobs.engines.local import LocalEngine
from core.jobs.queue import Queue
from core.jobs.verb import Verb
from core.memory.blobs import Blobs
from core.memory.store import Store
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from tests.kill.server import VERBS

SERVER = Path(__file__).parent / "kill" / "server.py"
VISITOR = "ann"
LIVES = 20
"""Kills that one folder sees before a new folder is begun, so that the tables are killed in the making too."""


class Witness:
    """What the server said about one folder in all its lives."""

    def __init__(self) -> None:
        self.said: dict[str, set[str]] = {word: set() for word in ("artifact", "removing", "job", "accident")}
        self.workers = 0

    def hear(self, line: str) -> None:
        """Take down one line."""
        word, _, rest = line.strip().partition(" ")
        if word in self.said:
            self.said[word].add(rest if word == "accident" else rest.split()[0])


@contextmanager
def mother() -> Iterator[subprocess.Popen[str]]:
    """A process that forks servers; it has paid for the imports once."""
    process = subprocess.Popen(
        [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


def life(process: subprocess.Popen[str], home: Path, witness: Witness, dice: random.Random) -> None:
    """Start a server, kill it (and in every third life a worker of it first), and hear all it said."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{home}\n")
    server = int(process.stdout.readline().split()[1])
    if dice.random() < 1 / 3:
        kill_worker(process, witness, dice)
    time.sleep(dice.uniform(0, 0.3))
    os.kill(server, signal.SIGKILL)
    while (line := process.stdout.readline()) != "dead\n":
        witness.hear(line)


def kill_worker(process: subprocess.Popen[str], witness: Witness, dice: random.Random) -> None:
    """Wait until the server names a worker, and kill that worker at a random moment."""
    assert process.stdout is not None
    while not (line := process.stdout.readline()).startswith("worker"):
        witness.hear(line)
    time.sleep(dice.uniform(0, 0.03))
    with suppress(ProcessLookupError):
        os.kill(int(line.split()[1]), signal.SIGKILL)
        witness.workers += 1


def rows(store: Store, sql: str) -> list[dict[str, Any]]:
    """Read from the tables directly."""
    with store.database.reading() as db:
        return list(db.query(sql))


def check(home: Path, witness: Witness, sandbox: Sandbox) -> int:
    """Open the folder again, look at everything, and return how many half-written files were swept."""
    store = Store(home, Blobs(home / "blobs", reserve_bytes=0))
    ended = {job["id"]: job["state"] for job in rows(store, "SELECT id, state FROM job")}
    queue = Queue(store, sandbox, LocalEngine(open=0, spare=0), VERBS)
    check_tables(store)
    check_promises(store, witness)
    for id, before in ended.items():
        expected = State.INTERRUPTED if before == State.RUNNING else State(before)
        assert queue.job(VISITOR, id).state is expected
    strays = len(list(store.blobs.temporary.iterdir()))
    check_files(store)
    queue.close()
    store.close()
    return strays


def check_tables(store: Store) -> None:
    """The file is sound, and each row that another one names is there."""
    assert rows(store, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert rows(store, "PRAGMA foreign_key_check") == []
    done = {row["id"] for row in rows(store, "SELECT id FROM job WHERE state = 'done'")}
    assert done >= {row["job"] for row in rows(store, "SELECT job FROM report")}
    doubles = "SELECT key FROM job WHERE state IN ('queued', 'running', 'done') AND key IS NOT NULL GROUP BY key HAVING count(*) > 1"
    assert rows(store, doubles) == []


def check_promises(store: Store, witness: Witness) -> None:
    """What was acknowledged is there unless its removal had begun; a done job has its artifact and report."""
    present = {artifact.id for artifact in store.artifacts(VISITOR)}
    assert witness.said["artifact"] - witness.said["removing"] <= present
    assert witness.said["accident"] == set()
    done = {row["id"] for row in rows(store, "SELECT id FROM job WHERE state = 'done'")}
    assert witness.said["job"] <= done
    reported = {row["job"]: row["artifact"] for row in rows(store, "SELECT job, artifact FROM report")}
    made = rows(store, "SELECT id, made AS artifact FROM job WHERE state = 'done'")
    for row in made:
        if row["artifact"] not in witness.said["removing"]:
            assert row["artifact"] in present
            assert reported[row["id"]] == row["artifact"]


def check_files(store: Store) -> None:
    """Each named blob is whole; after a sweep nothing is left half written, and the running total is right."""
    kept = rows(store, "SELECT sha256 FROM artifact UNION SELECT sha256 FROM mention WHERE report IS NOT NULL")
    store.sweep(age=0)
    for row in kept:
        store.blobs.verify(row["sha256"])
    assert list(store.blobs.temporary.iterdir()) == []
    files = [path for path in store.blobs.objects.rglob("*") if path.is_file()]
    assert store.blobs.used == sum(path.stat().st_size for path in files)
    for path in files:
        store.blobs.verify(path.parent.name + path.name)


def test_a_killed_server_loses_nothing(tmp_path: Path, sandbox: Sandbox) -> None:
    kills = 20  # `python -m benchmarks.kills` does 200
    dice, workers, strays, artifacts, jobs = random.Random(kills), 0, 0, 0, 0
    with mother() as process:
        for first in range(0, kills, LIVES):
            home, witness = tmp_path / f"home {first}", Witness()
            for _ in range(LIVES):
                life(process, home, witness, dice)
                strays += check(home, witness, sandbox)
            workers += witness.workers
            artifacts += len(witness.said["artifact"])
            jobs += len(witness.said["job"])
    print(
        f"{kills} servers and {workers} workers killed, {artifacts} artifacts and {jobs} jobs kept, {strays} strays swept"
    )
    assert artifacts > kills
    assert jobs > 0


Plain = dict[str, Json]


def copy(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Have a real child write a file, and store what it wrote."""
    files = {"model": tools.blobs.path(args["sha256"])}
    with tools.sandbox.run("copy", {}, files, READING, progress=tools.progress, cancel=tools.cancel) as done:
        return vars(tools.blobs.put(done.folder / "artifact"))


def record(store: Store, visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> str | None:
    """Write the copy, with a report."""
    artifact = store.add_artifact(visitor, **result, format="onnx", name="copy")
    store.add_report(visitor, artifact.id, "copy", {"number": args["number"]}, job=job)
    return artifact.id


COPY = Verb("copy", Plain, Plain, copy, record, lambda args: f"Copy {args['number']}", page="models.py")


@pytest.fixture
def copier(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox whose children copy."""
    box = Sandbox(tmp_path / "scratch", "tests.kill.copier")
    assert box.isolation.detail is not None
    yield box
    box.close()


def kill_children(dice: random.Random) -> int:
    """Kill the sandbox's children, at work or spare, at a random moment; return how many that were."""
    time.sleep(dice.uniform(0, 0.15))
    killed = 0
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if "tests.kill.copier" in child.cmdline():
                child.kill()
                killed += 1
    return killed


def test_a_killed_worker_fails_its_job_alone_and_the_job_runs_again(tmp_path: Path, copier: Sandbox) -> None:
    store, dice, killed, failed = Store(tmp_path), random.Random(5), 0, 0
    queue = Queue(store, copier, LocalEngine(), {"copy": COPY})
    with store.blobs.writer() as writer:
        writer.write(os.urandom(500_000))
        blob = writer.commit()
    for number in range(20):
        job = queue.submit(VISITOR, "copy", {**vars(blob), "number": number})
        killed += kill_children(dice)
        ended = queue.wait(VISITOR, job.id, 60)
        while ended.state is State.FAILED and ended.attempt < 4:  # a second kill may have met the next child
            failed += 1
            assert ended.trouble is not None
            assert ended.trouble.kind in ("crashed", "over limit")
            assert ended.trouble.next_step
            queue.retry(VISITOR, job.id)
            ended = queue.wait(VISITOR, job.id, 60)
        assert ended.state is State.DONE
    print(f"{killed} children killed, {failed} jobs failed and ran again")
    assert failed > 0
    (artifact,) = store.artifacts(VISITOR)
    assert len(store.reports(VISITOR, artifact.id)) == 20
    check_tables(store)
    check_files(store)
    queue.close()
    store.close()
