"""How a package serves on this machine: ``python -m benchmarks.serving [SECONDS]``.

For the penguins pipeline, the fashion CNN and the spam transformer, each moved to ONNX Runtime by the real verb and served in
the jail with one worker:

- capacity: the highest rate of the ladder at which every request of four seconds is answered and p99 stays below 100 ms;
- steady: SECONDS (10) at half of it: errors, p50, p95, p99;
- overload: four times the capacity: how many are told 429, p99 of those that are answered;
- healed: seconds from kill -9 to the next answer, on the same port.

The client runs on the same machine; on a busy one, read the counts rather than the times.
"""

import os
import signal
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from core.domain.load import Load, LoadRequest
from core.domain.migration import MigrateRequest
from core.domain.work import Subject
from core.memory.blobs import Blobs
from core.sandbox import Sandbox
from core.sandbox.servers import Server
from core.sandbox.tools import Tools
from core.verbs import load, loading, migrate

SAMPLES = Path(__file__).parent.parent / "sample_models"
FILES = {"penguins": "model.skops", "fashion_cnn": "model.onnx", "spam_transformer": "model.onnx"}
LADDER = (10, 25, 50, 75, 100, 150, 200, 300, 400, 600, 800)
BOUND_MS = 100.0
SETTINGS = {"SERVER_WORKERS": "1", "SERVER_QUEUE": "16", "MODEL_LOG": "WARNING"}


def main() -> None:
    """Print a line a sample."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    with (
        tempfile.TemporaryDirectory(prefix="portolan-serving-") as home,
        closing(Sandbox(Path(home) / "scratch")) as box,
    ):
        tools = Tools(Blobs(Path(home) / "blobs"), box, lambda fraction, text: None, threading.Event())
        for sample, name in FILES.items():
            blob = tools.blobs.put(SAMPLES / sample / name)
            subject = Subject(blob.sha256, blob.size, Path(name).suffix[1:], name)
            moved = migrate.run(tools, MigrateRequest(subject, "onnxruntime"))
            if moved.bundle is None:
                raise SystemExit(f"{sample}: {moved.verdict}")
            server = box.servers.begin("", sample, tools.blobs.path(moved.bundle.sha256), True, SETTINGS)
            server.until_ready(60, lambda: None)
            measured(tools, subject, server, sample, seconds)
            box.servers.stop(server)


def measured(tools: Tools, subject: Subject, server: Server, sample: str, seconds: float) -> None:
    """Measure one server, and print it."""

    def at(rate: float, for_seconds: float) -> Load:
        return load.run(tools, LoadRequest(subject, server.id, rate, for_seconds, time.time()))

    capacity = 0.0
    for rate in LADDER:
        found = at(rate, 4.0)
        if found.answered < found.sent or (found.p99 or BOUND_MS) >= BOUND_MS:
            break
        capacity = rate
    steady = at(max(1.0, capacity / 2), seconds)
    over = at(min(loading.MOST_RATE, 4 * max(capacity, 10)), 4.0)
    print(f"{sample}: capacity {capacity:g}/s")
    for words, one in (("steady", steady), ("overload", over)):
        print(f"  {words} {told(one)}")
    print(f"  healed in {healed(server):.2f} s", flush=True)


def told(one: Load) -> str:
    """Return the figures of a load in words."""
    times = ", ".join(f"{name} {value:.1f} ms" for name, value in (("p50", one.p50), ("p95", one.p95), ("p99", one.p99)) if value)  # fmt: skip
    return f"{one.rate:g}/s: {one.answered:,} of {one.sent:,} answered, {one.refused:,} told 429, {one.failed:,} failed; {times}"


def healed(server: Server) -> float:
    """Kill the process, and return the seconds until the port is ready again."""
    if server.pid is None:
        raise SystemExit("there is no process to kill")
    began = time.monotonic()
    os.kill(server.pid, signal.SIGKILL)
    server.until_ready(60, lambda: None)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
