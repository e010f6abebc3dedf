"""What another visitor notices of a greedy one, on a real server: how soon a small job begins, and how long /healthz takes.

The greedy visitor has two conversions of a model that loops for ever in both open places and JOBS inspections in the line,
holds 1,100 connections open whose requests never come whole, opening each anew that the server ends, and sends 200 files at
once, again and again. Meanwhile the other one uploads a small model a second, each time another, and follows its
inspection, and every 50 ms somebody asks for /healthz on a new connection. The server has the settings of a laptop, which
bound nothing by visitor, and as many files open as Linux lets a plain user's process have. Attack and server share the
processors. One JSON object on stdout: medians and worst cases in seconds, memory in MB, and how the uploads were answered.
Run: ``python -m benchmarks.greedy [SECONDS]``.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from onnx import parser

from benchmarks.visitors import Visitor, follow, small, submit
from core.domain.conversion import ConvertRequest
from core.domain.ingestion import IngestRequest
from core.domain.job import Job
from core.domain.work import Subject
from core.doors.workspace import VERBS
from core.jobs.rows import JobRows
from core.memory.blobs import Blob
from core.memory.store import Store
from tests.serving import Server, start

SECONDS, JOBS, HALF_OPEN, UPLOADS = 60.0, 500, 1100, 200
UPLOAD_BYTES = 4_000_000
LOOP = """
<ir_version: 8, opset_import: ["" : 17]>
endless (float[N, 3] x) => (float[N, 3] y) {
  times = Constant <value_int = 4611686018427387904> ()
  again = Constant <value = bool {1}> ()
  y = Loop (times, again, x) <body = round (int64 i, bool go, float[N, 3] s) => (bool on, float[N, 3] t) {
    on = Identity (go)
    t = Neg (s)
  }>
}
"""
COMMAND = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096))
runpy.run_path("app.py", run_name="__main__")
"""


def prepare(home: Path, greedy: Visitor, jobs: int) -> list[str]:
    """Put two endless conversions of the greedy visitor in the line and so many inspections behind them; return all ids."""
    store = Store(home)
    rows = JobRows(store, VERBS)
    try:
        ids = [rows.add(greedy.name, "convert", name, conversion(store, greedy.name, name), name).id for name in "ab"]
        blob = stored(store, small(0))
        asked = [IngestRequest(blob.sha256, blob.size, f"small{number}.onnx") for number in range(jobs)]
        return ids + [rows.add(greedy.name, "ingest", one.name, one, one.name).id for one in asked]
    finally:
        store.close()


def conversion(store: Store, visitor: str, name: str) -> ConvertRequest:
    """Return a conversion that loops for ever."""
    model = parser.parse_model(LOOP)
    model.doc_string = name
    blob = stored(store, model.SerializeToString())
    made = store.add_artifact(visitor, sha256=blob.sha256, size=blob.size, format="onnx", name=name)
    return ConvertRequest(Subject.of(made), "ort")


def stored(store: Store, data: bytes) -> Blob:
    """Store a file."""
    with store.blobs.writer() as writer:
        writer.write(data)
        return writer.commit()


def jobs_of(home: Path, greedy: Visitor) -> list[Job]:
    """Return the greedy visitor's jobs as they stand, read beside the server."""
    store = Store(home)
    try:
        return JobRows(store, VERBS).jobs(greedy.name, 10_000)
    finally:
        store.close()


def other(server: Server, end: threading.Event, found: dict[str, list[float]]) -> None:
    """Be the other visitor."""
    with httpx.Client(base_url=server.url, headers=Visitor().headers, timeout=60) as client:
        while not end.is_set():
            began = time.monotonic()
            with contextlib.suppress(httpx.ReadError):  # a kept connection was closed meanwhile; a browser asks again
                job = submit(client, "small.onnx", small(time.monotonic_ns()))
                found["upload"].append(time.monotonic() - began)
                found["begun"].append(follow(client, job, lambda state: state != "queued"))
                found["done"].append(found["begun"][-1] + follow(client, job, lambda state: state == "done"))
            end.wait(1)


def ask(server: Server, end: threading.Event, found: dict[str, list[float]]) -> None:
    """Ask for the server's health on a new connection, again and again."""
    while not end.is_set():
        began = time.monotonic()
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(server.url + "/healthz", timeout=20).status_code != 200:
                began -= 60
        found["healthz"].append(time.monotonic() - began)
        found["memory"].append(server.memory_mb("VmRSS"))
        end.wait(0.05)


async def hold(port: int) -> None:
    """Begin a request and never end it, for ever anew."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            await reader.read()
            writer.close()
        await asyncio.sleep(0.5)


async def send(port: int, greedy: Visitor, turn: int, answers: Counter[str]) -> None:
    """Send one file without asking, and count what the server says."""
    head = [f"PUT /api/data?name=a.npz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {UPLOAD_BYTES}"]
    head += [f"{name}: {value}" for name, value in greedy.headers.items()]
    answer = b""
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        said = asyncio.ensure_future(reader.readline())
        with contextlib.suppress(OSError):
            writer.write("\r\n".join([*head, "", ""]).encode() + turn.to_bytes(8, "big"))
            for _ in range(UPLOAD_BYTES // 100_000):
                writer.write(bytes(100_000))
                await writer.drain()
        with contextlib.suppress(OSError, TimeoutError):
            answer = await asyncio.wait_for(said, 30)
        writer.close()
    answers[answer[9:12].decode() or "cut off"] += 1


async def attack(port: int, greedy: Visitor, seconds: float) -> Counter[str]:
    """Hold half-open connections, and send files at once, until the time is over; return how these were answered."""
    answers = Counter[str]()
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    held = [loop.create_task(hold(port)) for _ in range(HALF_OPEN)]
    turn = 0
    while loop.time() < end:
        await asyncio.gather(*(send(port, greedy, turn + n, answers) for n in range(UPLOADS)))
        turn += UPLOADS
        await asyncio.sleep(1)
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    return answers


def attacked(port: int, greedy: Visitor, seconds: float) -> dict[str, int]:
    """Attack from a process of its own, so that its work delays no other visitor in this one."""
    words = [sys.executable, "-m", "benchmarks.greedy", "attack", str(port), greedy.token, str(seconds)]
    run = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    found: dict[str, int] = json.loads(run.stdout)
    return found


@contextlib.contextmanager
def watched(server: Server) -> Iterator[dict[str, list[float]]]:
    """Be the other visitor, and look at the server, as long as the block lasts."""
    found: dict[str, list[float]] = {name: [] for name in ("upload", "begun", "done", "healthz", "memory")}
    end = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        looking = [pool.submit(look, server, end, found) for look in (other, ask)]
        try:
            yield found
        finally:
            end.set()
    for one in looking:
        one.result()


def measure(folder: Path, seconds: float = SECONDS, jobs: int = JOBS) -> dict[str, Any]:
    """Attack a server in a folder of its own, and return what was noticed."""
    greedy = Visitor()
    line = prepare(folder / "home", greedy, jobs)
    server = start(folder / "home", "-c", COMMAND)
    try:
        with httpx.Client(base_url=server.url, headers=greedy.headers, timeout=60) as client:
            for job in line[:2]:
                follow(client, job, lambda state: state == "running")
            before = server.memory_mb("VmRSS")
            with watched(server) as found:
                answers = attacked(server.port, greedy, seconds)
            time.sleep(2)
            states = Counter(job.state for job in jobs_of(folder / "home", greedy))
            place = client.get(f"/api/jobs/{line[-1]}").json()["place"]
        memory = {"before": before, "most": max(found.pop("memory")), "after": server.memory_mb("VmRSS")}
        return {
            **{name: {"number": len(all), "median": median(all), "worst": max(all)} for name, all in found.items()},
            "memory_mb": memory,
            "uploads": answers,
            "greedy_jobs": dict(states),
            "last_of_the_line": place,
            "traceback": "Traceback" in server.log.read_text(),
        }
    finally:
        server.kill()


def main() -> None:
    """Measure, and print one JSON object; be the greedy visitor where the first word says so."""
    if sys.argv[1:2] == ["attack"]:
        port, token, seconds = sys.argv[2:5]
        print(json.dumps(asyncio.run(attack(int(port), Visitor(token), float(seconds)))))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), float(sys.argv[1]) if sys.argv[1:] else SECONDS), indent=1))


if __name__ == "__main__":
    main()
