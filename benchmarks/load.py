"""Twenty visitors of one server: how soon it answers a change of page, what its memory does, and whether anybody reads what is another's.

Seventeen visitors speak HTTP and Streamlit's own protocol over websockets, three are Chromium, each a process that stands
back for the server as a visitor's own machine would. Each loads pages, uploads models that nobody else has, follows their
inspection, presses "Convert and prove", changes pages meanwhile, downloads what came out and checks its hash, and begins
anew. Every file's name carries its owner's mark, and whatever a visitor is sent is searched for the marks of others; each
also asks for the jobs, models, files and links of others, by their real ids. The server has the settings of one for others
and two processors with whoever visits it. A change is timed from the request until the page's script is done; memory is
the server process's own, from after its first pages. One JSON object on stdout: seconds, and MB every 30 s.
Run: ``python -m benchmarks.load [MINUTES]``.
"""

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from onnx import numpy_helper, parser

from benchmarks.pages import TITLES, Visit, visiting
from benchmarks.visitors import SMALL, Visitor, small, submit
from tests.serving import Server, start

MINUTES, HTTP, BROWSERS = 10.0, 17, 3
LONG, WIDE = 300.0, 700
MARK = re.compile(r"load-[0-9a-f]{8}")
LINK = re.compile(r"/files/([0-9a-f]{64})/[0-9]+/[0-9a-f]{40}/[A-Za-z0-9._~%-]+")
SETTINGS = {"PORTOLAN_ANONYMOUS": "1", "PORTOLAN_HOSTS": "load.test"}
REFUSED = (403, 404)


@dataclass(frozen=True)
class Owned:
    """What one visitor has and no other may read."""

    mark: str
    job: str
    artifact: str
    sha256: str
    link: str


@dataclass
class Notes:
    """What all visitors found, each in a thread of its own."""

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)
    owned: list[Owned] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        """Count one thing done."""
        with self.lock:
            self.counts[what] += 1

    def failed(self, error: Exception) -> None:
        """Count what went wrong by its kind and first words."""
        with self.lock:
            self.errors[f"{type(error).__name__}: {str(error)[:200]}"] += 1

    @contextlib.contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Note how long a block took."""
        began = time.perf_counter()
        yield
        self.times[kind].append(time.perf_counter() - began)

    def look(self, mark: str, text: str, where: str) -> None:
        """Search what a visitor was sent for what is another's."""
        for other in set(MARK.findall(text)) - {mark}:
            self.reads.append(f"{mark} saw {other} in {where}")


def network(dice: random.Random, width: int) -> bytes:
    """Return a network of one product of matrices that nobody else has."""
    text = SMALL.replace("N, 3", f"N, {width}").replace("y = Relu (x)", "h = MatMul (x, w) y = Relu (h)")
    model = parser.parse_model(text)
    weights = np.random.default_rng(dice.getrandbits(32)).standard_normal((width, width), np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    data: bytes = model.SerializeToString()
    return data


def text_of(visit: Visit) -> str:
    """Return all that the page was sent in the last run."""
    return "\n".join(map(str, visit.drawn))


class Client:
    """A visitor without a browser."""

    def __init__(self, server: Server, notes: Notes, end: threading.Event, seed: int) -> None:
        self.server, self.notes, self.end = server, notes, end
        self.dice, self.who = random.Random(seed), Visitor()
        self.mark = f"load-{self.dice.getrandbits(32):08x}"
        self.http = httpx.Client(base_url=server.url, headers=self.who.headers, timeout=LONG)

    def live(self) -> None:
        """Visit again and again until the end; what goes wrong is counted, and a new visit begun."""
        self.end.wait(self.dice.uniform(0, 5))
        with self.http:
            while not self.end.is_set():
                try:
                    self.visit()
                except Exception as error:
                    self.notes.failed(error)
                    self.end.wait(1)

    def visit(self) -> None:
        """Open the pages, bring a model, convert it, take the result away, look for what is not one's own, and leave."""
        self.notes.look(self.mark, self.http.get("/").text, "the first page")
        with self.notes.timed("first page"), contextlib.ExitStack() as stay:
            page = stay.enter_context(visiting(self.server, self.who.cookie))
            page.ask("models")
            left = stay.pop_all()
        with left:
            inspected = self.upload(page)
            artifact = inspected["result"]["artifact_id"]
            job = self.convert(page, artifact)
            done = self.wait(page, job)
            self.turn(page, "convert", f"model={artifact}&job={job}", "result of a conversion")
            if done["state"] == "done":
                self.notes.owned.append(self.download(text_of(page), job, artifact))
            self.pry(page)

    def turn(self, page: Visit, name: str, query: str = "", kind: str = "") -> None:
        """Change to a page, time it, and look at what came."""
        with self.notes.timed(f"change to {kind or name}"):
            page.ask(name, query)
        self.notes.look(self.mark, text_of(page), name)

    def think(self) -> None:
        """Read the page for a while."""
        self.end.wait(self.dice.uniform(0.5, 2.5))

    def upload(self, page: Visit) -> dict[str, Any]:
        """Bring a model, mostly a small one, and follow its inspection."""
        wide = self.dice.random() < 0.25
        content = network(self.dice, WIDE) if wide else small(self.dice.getrandbits(60))
        with self.notes.timed("upload"):
            job = submit(self.http, f"{self.mark}.onnx", content)
        return self.wait(page, job)

    def convert(self, page: Visit, artifact: str) -> str:
        """Press the button of the Convert page, and return the job."""
        query = f"model={artifact}"
        self.turn(page, "models", query, "a model")
        self.think()
        self.turn(page, "convert", query)
        buttons = (message.delta.new_element.button for message in page.drawn)
        pressed = next(button.id for button in buttons if button.label == "Convert and prove")
        with self.notes.timed("begin a conversion"):
            page.ask("convert", query, pressed)
        said = [message.page_info_changed.query_string for message in page.drawn]
        return next(found[1] for text in said if (found := re.search(r"job=([0-9a-f]+)", text)))

    def wait(self, page: Visit, job: str) -> dict[str, Any]:
        """Change pages until a job is over, and return it."""
        while True:
            answer = self.http.get(f"/api/jobs/{job}").raise_for_status()
            self.notes.look(self.mark, answer.text, "a job")
            found: dict[str, Any] = answer.json()
            if found["state"] not in ("queued", "running"):
                self.notes.count(f"{found['verb']} {found['state']}")
                return found
            self.turn(page, self.dice.choice(list(TITLES)))
            self.think()

    def download(self, text: str, job: str, artifact: str) -> Owned:
        """Take away the first file that the page offers."""
        link = LINK.search(text)
        if link is None:
            raise RuntimeError("a finished conversion offers no file")
        with self.notes.timed("download"):
            content = self.http.get(link[0]).raise_for_status().content
        if sha256(content).hexdigest() != link[1]:
            raise RuntimeError("a download is not what its link says")
        self.notes.count("downloads")
        return Owned(self.mark, job, artifact, link[1], link[0])

    def pry(self, page: Visit) -> None:
        """Ask for what three others have."""
        others = [one for one in self.notes.owned if one.mark != self.mark]
        for one in self.dice.sample(others, min(3, len(others))):
            for address in guesses(one, self.dice):
                answer = self.http.get(address)
                self.judge(answer, one, address)
            self.judge(self.http.post(f"/api/jobs/{one.job}/cancel"), one, "cancel")
            self.turn(
                page,
                self.dice.choice(list(TITLES)),
                f"model={one.artifact}&job={one.job}",
                "a page with ids of another",
            )
            self.notes.count("pages with ids of others asked for")
            if one.sha256 in text_of(page):
                self.notes.reads.append(f"{self.mark} saw the SHA-256 of a file of {one.mark}")

    def judge(self, answer: httpx.Response, one: Owned, what: str) -> None:
        """Count an attempt; anything but a refusal is a read."""
        self.notes.count("files and jobs of others asked for")
        self.notes.look(self.mark, answer.text, what)
        if answer.status_code not in REFUSED:
            self.notes.reads.append(f"{self.mark} got {answer.status_code} for {what} of {one.mark}")


def guesses(one: Owned, dice: random.Random) -> list[str]:
    """Return where another's things might lie for somebody who has seen all of its ids but not its link."""
    _, _, name, expiry, signature, file = one.link.split("/")
    forged = f"{dice.getrandbits(160):040x}"
    return [
        f"/api/jobs/{one.job}",
        f"/api/jobs/{one.artifact}",
        f"/files/{name}/{expiry}/{forged}/{file}",
        f"/files/{name}/{int(expiry) + 600}/{signature}/{file}",
        f"/graph/{name}/{expiry}/{signature}/{file}",
        f"/show/{one.artifact}",
        f"/files/{name}",
    ]


def browse(url: str, seconds: float, seed: int) -> None:
    """Be a visitor with a Chromium of their own, and tell what happens in lines of JSON."""
    from playwright.sync_api import Error, sync_playwright

    from tests.browser.chromium import launched

    dice = random.Random(seed)
    mark, ends = f"load-{dice.getrandbits(32):08x}", time.monotonic() + seconds
    with sync_playwright() as playwright:
        browser = launched(playwright)
        while time.monotonic() < ends:
            context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
            context.set_default_timeout(LONG * 1000)
            try:
                journey(context.new_page(), url, mark, dice)
                tell(count="journeys in Chromium")
            except Error as error:
                tell(error=str(error)[:200])
            context.close()


def journey(page: Any, url: str, mark: str, dice: random.Random) -> None:
    """Bring a model, convert it and take the proof away, with a look at the other pages in between."""
    changed(page, mark, "first page", lambda: page.goto(url), "Add a model")
    content = {"name": f"{mark}.onnx", "mimeType": "application/octet-stream", "buffer": small(dice.getrandbits(60))}
    upload = page.locator("input[type=file]").first
    changed(page, mark, "upload", lambda: upload.set_input_files(content), f"{mark}.onnx")
    for name, title in (("Compress", "Compress"), ("Models", "Add a model"), ("Convert", "Convert")) * 2:
        link = page.get_by_role("link", name=name, exact=True).first
        changed(page, mark, f"change to {name}", link.click, title)
        time.sleep(dice.uniform(0.5, 2.5))
    page.get_by_role("button", name="Convert and prove").click()
    page.get_by_text("Both files give the same answers").wait_for()
    with page.expect_download() as waiting:
        page.get_by_role("link", name=re.compile("Download with evidence")).click()
    tell(count="downloads in Chromium" if waiting.value.path().stat().st_size else "empty downloads in Chromium")


def changed(page: Any, mark: str, kind: str, act: Callable[[], object], title: str) -> None:
    """Do something and wait for a heading; tell how long that took, and whose marks the page shows."""
    began = time.perf_counter()
    act()
    page.get_by_role("heading", name=title, exact=True).wait_for()
    tell(kind=f"Chromium: {kind}", seconds=time.perf_counter() - began)
    for other in set(MARK.findall(page.content())) - {mark}:
        tell(read=f"{mark} saw {other} in Chromium")


def tell(**what: object) -> None:
    """Print one thing that happened."""
    print(json.dumps(what), flush=True)


def listen(server: Server, notes: Notes, seconds: float, seed: int) -> None:
    """Start a visitor with a Chromium, and note what it tells."""
    words = [sys.executable, "-m", "benchmarks.load", "browse", server.url, str(seconds), str(seed)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, preexec_fn=stand_back) as process:
        assert process.stdout is not None
        for line in process.stdout:
            match json.loads(line):
                case {"kind": kind, "seconds": took}:
                    notes.times[kind].append(took)
                case {"count": what}:
                    notes.count(what)
                case {"read": what}:
                    notes.reads.append(what)
                case {"error": what}:
                    notes.failed(RuntimeError(what))


def stand_back() -> None:
    """Let all others have the processors first: a visitor's browser is no part of the server's work."""
    os.setsid()
    os.nice(10)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("10")


def watch(server: Server, end: threading.Event, every: float) -> list[dict[str, float]]:
    """Return the server process's memory in MB every so many seconds: all of it, and without what lies in files."""
    began, found = time.monotonic(), []
    while True:
        fields = {name: round(server.memory_mb(field), 1) for name, field in (("rss", "VmRSS"), ("own", "RssAnon"))}
        found.append({"seconds": round(time.monotonic() - began), **fields})
        if end.wait(every):
            return found


def measure(folder: Path, minutes: float, clients: int = HTTP, browsers: int = BROWSERS) -> dict[str, Any]:
    """Have visitors come to a new server for so many minutes, and return what they found."""
    server, notes, end, over = start(folder / "home", **SETTINGS), Notes(), threading.Event(), threading.Event()
    seconds = minutes * 60
    try:
        with visiting(server, Visitor().cookie) as first:
            for name in TITLES:
                first.open(name)
        with ThreadPoolExecutor(clients + browsers + 1) as pool:
            memory = pool.submit(watch, server, over, min(30.0, seconds / 10))
            visitors = [pool.submit(Client(server, notes, end, seed).live) for seed in range(clients)]
            visitors += [pool.submit(listen, server, notes, seconds, 100 + seed) for seed in range(browsers)]
            end.wait(seconds)
            end.set()
            for one in visitors:
                one.result()
            time.sleep(min(60.0, seconds / 10))
            over.set()
        return summed_up(notes, memory.result(), minutes) | {"traceback": "Traceback" in server.log.read_text()}
    finally:
        server.kill()


def summed_up(notes: Notes, memory: list[dict[str, float]], minutes: float) -> dict[str, Any]:
    """Return everything in numbers."""
    changes = [took for kind, all in notes.times.items() if kind.startswith("change to") for took in all]
    return {
        "minutes": minutes,
        "load": os.getloadavg()[0],
        "all changes of page": spread(changes),
        "by kind": {kind: spread(all) for kind, all in sorted(notes.times.items())},
        "counts": dict(notes.counts),
        "cross_visitor_reads": len(notes.reads),
        "reads": notes.reads[:20],
        "errors": dict(notes.errors),
        "memory_mb": memory,
        "memory_growth_mb": round(max(one["rss"] for one in memory) - memory[0]["rss"], 1),
    }


def spread(found: list[float]) -> dict[str, float]:
    """Return how many there are, and their median, 95th and 99th percentile and worst, in seconds."""
    if not found:
        return {"number": 0}
    shares = {"p50": 50, "p95": 95, "p99": 99, "worst": 100}
    return {"number": len(found)} | {name: round(float(np.percentile(found, at)), 3) for name, at in shares.items()}


def main() -> None:
    """Measure, and print one JSON object; be a visitor with a Chromium where the first word says so."""
    if sys.argv[1:2] == ["browse"]:
        browse(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), float(sys.argv[1]) if sys.argv[1:] else MINUTES), indent=1))


if __name__ == "__main__":
    main()
