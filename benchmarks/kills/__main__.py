"""kill -9 of a server, its sandboxed children and a cluster's workers, on a disk that runs full, while backups are made.

A real server on a small disk of its own takes uploads from one visitor on three connections, inspects and converts what comes;
in two of five lives its jobs run on a Dask cluster. TIMES times something is killed at a random moment, as SEED says; now and then
the disk is filled to its last bytes for up to a second, and in each life a backup is made. After each death of the server its
home is opened: every row that was acknowledged (a file with 2xx, a job with its end) must be there as it was told, every blob be
whole by its SHA-256, and each backup must restore and hold what was acknowledged before it began. At the end every job must end.
One JSON object on stdout; exit code 1 when anything was lost, did not end, was answered without words, or a server did not start.
The disk is an ext4 in a file, a tmpfs where that may not be mounted, or (``"disk": "none"``) never full. 200 take half an hour.
Run as root on Linux: ``python -m benchmarks.kills [TIMES] [SEED]``.
"""

import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.kills.disk import Disk, disk
from benchmarks.kills.ledger import Ledger
from benchmarks.kills.machine import Cluster, begin, children, kill_one
from benchmarks.kills.traffic import Traffic
from core.domain.conversion import ConvertRequest
from core.domain.errors import PortolanError
from core.domain.work import Subject
from core.doors.workspace import VERBS
from core.jobs.rows import JobRows
from core.memory.backup import back_up, restore
from core.memory.store import Store
from tests.serving import Server

TIMES, SEED, UPLOADERS, ON_CLUSTER, FULL = 200, 0, 3, 0.4, 0.35
ENDING_SECONDS = 240.0
"""In which all jobs that wait at the end must be over."""


@dataclass
class Run:
    """One run: where it happens, what was acknowledged, and what was seen."""

    folder: Path
    disk: Disk
    cluster: Cluster | None
    dice: random.Random
    ledger: Ledger = field(default_factory=Ledger)
    seen: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = self.disk.folder / "home"
        self.traffic = Traffic(self.ledger, self.dice.randrange(1 << 30))

    def life(self, kills: int) -> int:
        """Start a server, kill parts of it and at last the whole, look at what is left, and return how many were killed."""
        cluster = self.cluster if self.dice.random() < ON_CLUSTER else None
        if cluster:
            cluster.mend()
        server, end = begin(self.home, cluster), threading.Event()
        self.seen["lives on the cluster" if cluster else "lives on this machine"] += 1
        threads = [threading.Thread(target=self.traffic.upload, args=(server, end, n)) for n in range(UPLOADERS)]
        threads.append(threading.Thread(target=self.traffic.follow, args=(server, end)))
        saving = threading.Thread(target=self.save)
        for thread in (*threads, saving):
            thread.start()
        killed = self.parts(server, cluster, kills - 1)
        server.kill()
        end.set()
        for thread in (*threads, saving):
            thread.join()
        self.disk.free()
        self.seen["servers killed"] += 1
        self.faults += [f"lost: {one}" for one in self.ledger.lost(self.home)]
        self.order()
        return killed + 1

    def parts(self, server: Server, cluster: Cluster | None, most: int) -> int:
        """Kill some children and workers at random moments, and fill the disk now and then; the server must stay."""
        killed = 0
        for _ in range(self.dice.randrange(1, 5)):
            time.sleep(self.dice.uniform(0.05, 0.8))
            if self.dice.random() < FULL:
                self.fill(server)
            what = "workers killed" if cluster and self.dice.random() < 0.6 else "children killed"
            victims = cluster.workers() if cluster and what == "workers killed" else children(server)
            if killed < most and kill_one(victims, self.dice):
                killed += 1
                self.seen[what] += 1
        time.sleep(self.dice.uniform(0, 0.5))
        if self.dice.random() < FULL:
            self.seen["servers killed on a full disk"] += 1
            self.disk.fill(self.dice.randrange(200_000))
        if server.process.poll() is not None:
            self.faults.append(f"the server ended by itself: {server.log.read_text()[-600:]}")
        return killed

    def fill(self, server: Server) -> None:
        """Fill the disk for a while; the server must be there afterwards."""
        self.disk.fill(self.dice.randrange(200_000))
        self.seen["disks filled"] += 1
        time.sleep(self.dice.uniform(0.1, 1))
        self.disk.free()
        if httpx.get(server.url + "/healthz", timeout=10).status_code != 200:
            self.faults.append("no health after a full disk")

    def save(self) -> None:
        """Make a backup at a random moment, and restore and read it; one that a full disk stops says so."""
        time.sleep(self.dice.uniform(0, 0.7))
        known, out, again = self.ledger.copy(), self.folder / "backup.zip", self.folder / "again"
        try:
            back_up(self.home, out, quiet)
        except PortolanError as error:
            self.seen[f"backups refused: {error.message[:80]}"] += 1
            return
        lacking = restore(out, again, quiet).lacking
        self.seen["backups restored"] += 1
        self.faults += [f"the backup lacks {one}" for one in (*lacking, *known.lost(again))]
        shutil.rmtree(again)
        out.unlink()

    def order(self) -> None:
        """Put conversions of some models in the line of the next life; they are acknowledged as soon as their rows are written."""
        store = Store(self.home)
        try:
            rows, mine = (
                JobRows(store, VERBS),
                [one for one in store.artifacts(self.traffic.name) if one.format == "onnx"],
            )
            for made in self.dice.sample(mine, min(2, len(mine))):
                request = ConvertRequest(Subject.of(made), "ort")
                self.ledger.jobs.add(rows.add(self.traffic.name, "convert", made.name, request, made.id).id)
        finally:
            store.close()

    def finish(self) -> None:
        """Let all jobs come to their end on a server that nobody kills, and look a last time."""
        server, end = begin(self.home, None), threading.Event()
        thread = threading.Thread(target=self.traffic.follow, args=(server, end))
        thread.start()
        until = time.monotonic() + ENDING_SECONDS
        while self.waiting() and time.monotonic() < until:
            time.sleep(0.5)
        self.faults += [f"job {id} does not end" for id in self.waiting()]
        end.set()
        thread.join()
        if server.stop() not in (0, -15, 143):
            self.faults.append("the server did not end in order")
        self.faults += [f"lost: {one}" for one in self.ledger.lost(self.home)]

    def waiting(self) -> list[str]:
        """Return the acknowledged jobs that wait or run."""
        store = Store(self.home)
        try:
            jobs = JobRows(store, VERBS).jobs(self.traffic.name, 1_000_000)
            return [job.id for job in jobs if job.state.active and job.id in self.ledger.jobs]
        finally:
            store.close()

    def told(self) -> dict[str, Any]:
        """Sum up."""
        self.faults += [
            f"{count} answers: {what}" for what, count in self.ledger.answers.items() if what.startswith("no words")
        ]
        acknowledged = {"files": len(self.ledger.blobs), "jobs": len(self.ledger.jobs), "ends": len(self.ledger.ends)}
        return {
            "disk": self.disk.kind,
            **self.seen,
            "acknowledged": acknowledged,
            "answers": self.ledger.answers,
            "faults": self.faults,
        }


def quiet(fraction: float | None, text: str) -> None:
    """Progress goes nowhere."""


def measure(folder: Path, times: int, seed: int, with_cluster: bool = True) -> dict[str, Any]:
    """Kill so often, and return what was seen."""
    with ExitStack() as stack:
        cluster = stack.enter_context(closing(Cluster(folder))) if with_cluster else None
        run, killed = Run(folder, stack.enter_context(disk(folder)), cluster, random.Random(seed)), 0
        while killed < times:
            killed += run.life(times - killed)
            print(killed, dict(run.seen), run.faults, file=sys.stderr, flush=True)
        run.finish()
        return {"killed": killed, **run.told()}


def main(words: list[str]) -> int:
    """Run what was asked for, print it, and return the exit code."""
    times, seed = (int(word) for word in words + [str(TIMES), str(SEED)][len(words) :])
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), times, seed)
    print(json.dumps(found, indent=1))
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
