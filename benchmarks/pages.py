"""What a visitor waits for, in this checkout and in another one: the first page after a start, a change of page, a job's way to its child, memory.

Both apps run at once, each with its own PORTOLAN_HOME (two models in the library) and its own port. A pair is: start one,
then the other, in random order, and time the first page of each over Streamlit's websocket, as a browser asks for it;
then, while nothing else happens in them, change pages in turns; then read the most memory that each server process held.
The way to a child is timed by ``benchmarks.dispatch`` of each checkout. Beside the wall clock stands the processor time of
the server process, which other work on the machine stretches far less. One JSON object on stdout: medians, and the ratio
this/other of what was measured next to each other, with a 95 % interval by bootstrap over the pairs and, within each, over
the changes of page; of fewer than eight pairs it is too narrow. Run: ``python -m benchmarks.pages OTHER_CHECKOUT [PAIRS]``.
"""

import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from core.proof.speed import interval
from tests.serving import Server, free_port

HERE = Path(__file__).parents[1]
SEED, PAIRS, CHANGES, DISPATCHES = 20261129, 8, 15, 2
MODELS = ("segment/model.onnx", "fashion_cnn/model.onnx")
TITLES = {"models": ("Add a model", "Bring a model"), "convert": ("Convert",), "compress": ("Compress",)}
"""The first heading of each page, and what older checkouts call it."""
IDLE_SHARE, IDLE_SECONDS, LONG = 0.03, 1.0, 120.0
"""A process and its children are idle when they take less than this share of a processor for this long."""
DISPATCH = """
import sys, tempfile
from pathlib import Path
from benchmarks import dispatch

with tempfile.TemporaryDirectory() as folder:
    box = dispatch.Sandbox(Path(folder))
    for kind in map(str.strip, sys.stdin):
        print(dispatch.answered(box, kind, dispatch.MODELS[kind]), flush=True)
    box.close()
"""
SIDES = ("this", "other")
Twins = list[dict[str, float]]
"""Values by side that were measured next to each other."""
Samples = dict[str, list[Twins]]
"""By measure, the twins of each pair of starts."""


@dataclass
class Visit:
    """A visitor's open page: the websocket, and the id of each page by its name in the address."""

    server: Server
    line: ClientConnection
    ids: dict[str, str]
    drawn: list[ForwardMsg] = field(default_factory=list)
    """What the last run of the script sent."""

    def open(self, page: str) -> tuple[float, float]:
        """Change to a page, and return the seconds of wall clock and of the server's processor time until its script is done."""
        busy, began = processor(self.server), time.perf_counter()
        titles = self.ask(page)
        found = time.perf_counter() - began, processor(self.server) - busy
        if not titles or titles[0] not in TITLES[page]:
            raise RuntimeError(f"the page {page} shows {titles}: {self.server.log.read_text()[-2000:]}")
        return found

    def ask(self, page: str, query: str = "", pressed: str = "") -> list[str]:
        """Have a page drawn, with a query in its address and perhaps a button pressed, and return its headings."""
        request = BackMsg()
        request.rerun_script.page_script_hash = self.ids.get(page, "")
        request.rerun_script.query_string = query
        if pressed:
            request.rerun_script.widget_states.widgets.add(id=pressed, trigger_value=True)
        self.line.send(request.SerializeToString())
        return self.answered()

    def answered(self) -> list[str]:
        """Read until the script is done, and return the headings that it drew."""
        headings = []
        self.drawn = []
        while True:
            message = ForwardMsg.FromString(self.line.recv(LONG, decode=False))
            self.drawn.append(message)
            if message.WhichOneof("type") == "navigation":
                self.ids = {
                    page.url_pathname or "models": page.page_script_hash for page in message.navigation.app_pages
                }
            element = message.delta.new_element
            if element.WhichOneof("type") == "exception":
                raise RuntimeError(element.exception.message)
            headings += [element.heading.body] if element.WhichOneof("type") == "heading" else []
            if message.WhichOneof("type") == "script_finished":
                if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    return headings
                headings = []


def processor(server: Server) -> float:
    """Return the seconds of processor time that a server process took so far, by its own clock (clock_getcpuclockid(3), Linux)."""
    return time.clock_gettime((~server.process.pid << 3) | 2)


def launched(checkout: Path, home: Path) -> Server:
    """Start the app of a checkout; it does not answer yet."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    settings = {**kept, "PORTOLAN_HOME": str(home), "PORTOLAN_PORT": str(port)}
    log = home.parent / f"{home.name}.log"
    with log.open("wb") as file:
        command = [sys.executable, "app.py"]
        process = subprocess.Popen(
            command, cwd=checkout, env=settings, stdout=file, stderr=file, start_new_session=True
        )
    return Server(home, port, process, log)


def reached(server: Server, cookie: str = "") -> httpx.Response:
    """Ask for the root until it answers. Raises RuntimeError for a server that ended."""
    while True:
        try:
            return httpx.get(server.url, headers={"Cookie": cookie} if cookie else {}, timeout=LONG)
        except httpx.TransportError:
            if server.process.poll() is not None:
                raise RuntimeError(f"the server ended: {server.log.read_text()[-2000:]}") from None
            time.sleep(0.02)


@contextmanager
def visiting(server: Server, cookie: str) -> Iterator[Visit]:
    """Open Streamlit's websocket as a browser with this cookie does."""
    address = server.url.replace("http", "ws") + "/_stcore/stream"
    headers = {"Cookie": cookie}
    with connect(
        address, origin=Origin(server.url), additional_headers=headers, max_size=None, open_timeout=LONG
    ) as line:
        yield Visit(server, line, {})


def furnish(checkout: Path, home: Path) -> str:
    """Bring two models to a new home through its own server, and return the cookie of the visitor who owns them."""
    server = launched(checkout, home)
    try:
        cookie = reached(server).headers["set-cookie"].partition(";")[0]
        headers = {"Cookie": cookie, "X-Requested-With": "benchmarks"}
        with httpx.Client(base_url=server.url, headers=headers, timeout=LONG) as client:
            for name in MODELS:
                content = (HERE / "sample_models" / name).read_bytes()
                job = client.put("/api/models", params={"name": Path(name).name}, content=content).json()["job"]
                while (state := client.get(f"/api/jobs/{job}").json()["state"]) in ("queued", "running"):
                    time.sleep(0.1)
                if state != "done":
                    raise RuntimeError(f"{name} was not taken in: {state}")
    finally:
        server.stop()
    return cookie


def settle(pid: int) -> None:
    """Wait until a process and its children do nothing, so that their spare children are warm; two minutes at most."""
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        before = tree_seconds(pid)
        time.sleep(IDLE_SECONDS)
        if tree_seconds(pid) - before < IDLE_SHARE * IDLE_SECONDS:
            return


def tree_seconds(pid: int) -> float:
    """Return the processor time of a process and of its children that are alive."""
    found = 0.0
    process = psutil.Process(pid)
    for one in (process, *process.children(recursive=True)):
        try:
            found += sum(one.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return found


def pair(places: dict[str, tuple[Path, Path, str]], dice: random.Random) -> dict[str, Twins]:
    """Measure both apps once; ``places`` holds checkout, home and cookie by side. Returns the twins by measure."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    servers: dict[str, Server] = {}
    try:
        for side in dice.sample(SIDES, 2):
            checkout, home, cookie = places[side]
            began = time.perf_counter()
            servers[side] = launched(checkout, home)
            reached(servers[side], cookie)
            with visiting(servers[side], cookie) as visit:
                visit.open("models")
                found["first page, s"][side] = time.perf_counter() - began
                found["first page, processor s"][side] = processor(servers[side])
            settle(servers[side].process.pid)
        changed = changes(servers, {side: places[side][2] for side in SIDES}, dice)
        for side in SIDES:
            found["most memory of the server, MB"][side] = servers[side].memory_mb("VmHWM")
    finally:
        for server in servers.values():
            server.kill()
    return {name: [twin] for name, twin in found.items()} | changed


def changes(servers: dict[str, Server], cookies: dict[str, str], dice: random.Random) -> dict[str, Twins]:
    """Change pages in both apps in turns, and return the twins of each page; the first round warms up."""
    logs: dict[str, Twins] = defaultdict(list)
    with visiting(servers["this"], cookies["this"]) as this, visiting(servers["other"], cookies["other"]) as other:
        visits = {"this": this, "other": other}
        for visit in visits.values():
            visit.open("models")
        for number in range(CHANGES + 1):
            for page in ("convert", "compress", "models"):
                taken = {side: visits[side].open(page) for side in dice.sample(SIDES, 2)}
                if number:
                    logs[f"change to {page}, ms"].append({side: 1000 * wall for side, (wall, _) in taken.items()})
                    logs[f"change to {page}, processor ms"].append({side: 1000 * t for side, (_, t) in taken.items()})
    return logs


@contextmanager
def dispatching(checkout: Path) -> Iterator[Callable[[str], float]]:
    """Open a sandbox of a checkout in a process of its own; what is yielded times one small task in milliseconds."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(
        [sys.executable, "-c", DISPATCH], cwd=checkout, env=kept, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        asked, told = process.stdin, process.stdout

        def timed(kind: str) -> float:
            settle(process.pid)
            asked.write(f"{kind}\n")
            asked.flush()
            return float(told.readline())

        yield timed
        asked.close()


def dispatches(checkouts: dict[str, Path], pairs: int, dice: random.Random, samples: Samples) -> None:
    """Time a warm child of each kind in both checkouts in turns; the first round warms up."""
    with dispatching(checkouts["this"]) as this, dispatching(checkouts["other"]) as other:
        boxes = {"this": this, "other": other}
        for number in range(DISPATCHES * pairs + 1):
            for kind in ("light", "torch"):
                twin = {side: boxes[side](kind) for side in dice.sample(SIDES, 2)}
                if number:
                    samples[f"warm dispatch, {kind}, ms"].append([twin])


def summed_up(found: list[Twins]) -> dict[str, Any]:
    """Return the medians of both sides, and the ratio of the twins with its 95 % interval."""
    logs = [np.log([twin["this"] / twin["other"] for twin in twins]) for twins in found]
    medians = {side: round(median(twin[side] for twins in found for twin in twins), 3) for side in SIDES}
    ratio, low, high = (round(math.exp(value), 4) for value in interval(logs, SEED))
    return {**medians, "ratio": ratio, "interval": [low, high]}


def measure(other: Path, pairs: int) -> dict[str, Any]:
    """Return what both checkouts take, with every sample."""
    load, dice = os.getloadavg()[0], random.Random(SEED)
    samples: Samples = defaultdict(list)
    checkouts = {"this": HERE, "other": other}
    with tempfile.TemporaryDirectory() as folder:
        homes = {side: Path(folder) / side for side in SIDES}
        places = {side: (checkouts[side], homes[side], furnish(checkouts[side], homes[side])) for side in SIDES}
        for number in range(pairs):
            for name, twins in pair(places, dice).items():
                samples[name].append(twins)
            print(f"pair {number + 1} of {pairs}", file=sys.stderr, flush=True)
    dispatches(checkouts, pairs, dice, samples)
    results = {name: summed_up(found) for name, found in samples.items()}
    machine = {"cores": os.cpu_count(), "load_before": round(load, 2)}
    kept = {name: [[plain(twin) for twin in twins] for twins in found] for name, found in samples.items()}
    return {"pairs": pairs, "seed": SEED, **machine, "results": results, "samples": kept}


def plain(twin: dict[str, float]) -> list[float]:
    """Return both values of a twin, this side first."""
    return [round(twin[side], 3) for side in SIDES]


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else PAIRS)))
