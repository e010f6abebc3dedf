"""The far side of a cluster: what a Dask worker does with a job that was sent to it.

A worker has a sandbox, a turn for measurements and a folder of blobs of its own. While a job runs, two queues of the
scheduler connect it with the server: what happens goes up (progress, questions, results so far), answers and the word
to stop come down. A worker that nobody listens to any more kills its child.
"""

import atexit
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from core.domain.codec import Json, decode, encode
from core.domain.errors import Cancelled, PortolanError, Unavailable, our_fault
from core.jobs.engines import Work
from core.jobs.engines.share import Share, Shared, named
from core.memory.job_blobs import JobBlobs
from core.sandbox import Sandbox
from core.sandbox.tools import Memory, Meter, Tools

R = TypeVar("R")
log = logging.getLogger(__name__)

DAY = 86400.0
PAUSE_SECONDS = 0.1
BEAT_SECONDS = 10.0
SILENCE_SECONDS = 120.0
CALL_SECONDS = 30.0
REPORT = "Run it again; if it ends the same way, report it with the log of that worker."


def carry(request_text: str, works: Mapping[str, Work], version: str) -> str:
    """Run the job that an engine sent as JSON, and return ``{result, blobs}`` or ``{trouble}`` as JSON."""
    request = json.loads(request_text)
    try:
        with Line(request["ticket"]) as line:
            return json.dumps(_worked(request, works, version, line))
    except PortolanError as error:
        return json.dumps({"trouble": encode(error.trouble)})
    except Exception as error:
        log.exception("job %s failed", request["spec"]["job"])
        return json.dumps({"trouble": encode(our_fault(error).trouble)})


def _worked(request: dict[str, Any], works: Mapping[str, Work], version: str, line: "Line") -> dict[str, Any]:
    spec = request["spec"]
    if request["version"] != version:
        raise Unavailable(
            f"The worker at {line.address} runs a different version of Portolan.",
            "Install the same version on the server and all workers, and start them again.",
        )
    if spec["verb"] not in works:
        raise Unavailable(f"The worker at {line.address} does not know the verb {spec['verb']!r}.", REPORT)
    site = opened()
    shared = Shared(site.folder / "blobs")
    shared.share = Share(request["share"])
    shared.sweep(set(), DAY)
    blobs = JobBlobs(shared, named(spec["args"]))
    memory = RemoteMemory(line, blobs, shared.share)
    tools = Tools(blobs, site.sandbox, line.progress, line.cancel, memory, RemoteMeter(line))
    result = works[spec["verb"]](tools, spec["args"])
    return {"result": result, "blobs": memory.offered(result)}


@dataclass(frozen=True)
class Site:
    """What all jobs of a worker's process share: its folder, which goes with the worker, and its sandbox."""

    folder: Path
    sandbox: Sandbox


_sites: list[Site] = []
_opening = threading.Lock()


def opened() -> Site:
    """Return this process's site, opened by the first job."""
    from distributed import get_worker

    with _opening:
        if not _sites:
            folder = Path(get_worker().local_directory) / "portolan"
            _sites.append(Site(folder, Sandbox(folder / "scratch")))
            atexit.register(_sites[0].sandbox.close)
        return _sites[0]


class Line:
    """The worker's end of the two queues; one thread moves all that is said, in order, and nothing that is said is lost."""

    def __init__(self, ticket: str) -> None:
        from distributed import Queue, get_client, get_worker

        client = get_client()
        self.address = str(get_worker().address)
        self.cancel = threading.Event()
        self._up, self._down = (Queue(f"{ticket}-{way}", client=client) for way in ("up", "down"))
        self._said: list[tuple[str, str]] = []
        self._asked: dict[str, Callable[[Any], None]] = {}
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._beat = self._heard = time.monotonic()
        self._mover = threading.Thread(target=self._move, name=f"{ticket}-line", daemon=True)

    def __enter__(self) -> "Line":
        self.say({"kind": "start", "worker": self.address})
        self._mover.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._mover.join()
        for queue in (self._up, self._down):
            with suppress(Exception):
                queue.close()

    def say(self, message: dict[str, Any], instead: str = "") -> None:
        """Send a message, as it is now, after those before it; one that still waits with the same ``instead`` is dropped."""
        text = json.dumps(message)
        with self._lock:
            if instead and self._said and self._said[-1][0] == instead:
                self._said.pop()
            self._said.append((instead, text))

    def progress(self, fraction: float | None, text: str) -> None:
        """Send a fraction and a sentence."""
        self.say({"kind": "progress", "fraction": fraction, "text": text}, instead=f"progress {text}")

    def ask(self, question: dict[str, Any]) -> Any:
        """Send a question and wait for the answer. Raises Cancelled."""
        number, answers, arrived = secrets.token_hex(8), [], threading.Event()

        def hear(answer: Any) -> None:
            answers.append(answer)
            arrived.set()

        self._asked[number] = hear
        self.say({**question, "question": number})
        while not arrived.wait(PAUSE_SECONDS):
            if self.cancel.is_set():
                raise Cancelled("The job was stopped.", "Start it again when you need it.")
        return answers[0]

    def _move(self) -> None:
        try:
            while not self._ended.wait(PAUSE_SECONDS):
                self._send()
                self._hear()
            self._send()
        except Exception as error:
            log.warning("the line of a job broke, which ends it: %s", error)
            self.cancel.set()

    def _send(self) -> None:
        with self._lock:
            said, self._said = self._said, []
        if said:
            self._up.put([text for _, text in said], callback_timeout=CALL_SECONDS)
        if time.monotonic() - self._beat > BEAT_SECONDS:
            self._beat = time.monotonic()
            self._listen()

    def _listen(self) -> None:
        """Set the cancel event when nobody has read for long what was said, and knock so that there is something to read."""
        if self._up.qsize(callback_timeout=CALL_SECONDS) == 0:
            self._heard = time.monotonic()
            self._up.put([], callback_timeout=CALL_SECONDS)
        elif time.monotonic() - self._heard > SILENCE_SECONDS:
            self.cancel.set()

    def _hear(self) -> None:
        for text in self._down.get(batch=True, callback_timeout=CALL_SECONDS):
            message = json.loads(text)
            if message["kind"] == "cancel":
                self.cancel.set()
            elif hear := self._asked.pop(message["question"], None):
                hear(message["answer"])


class RemoteMeter(Meter):
    """What a job's children cost, told to the server, which stops the job where it is too much."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def spend(self, seconds: float) -> None:
        """Send the processor time of a child that has ended."""
        self._line.say({"kind": "spent", "seconds": seconds})


class RemoteMemory(Memory):
    """What a job asks of the server's store and writes there before its end, by the line."""

    def __init__(self, line: Line, blobs: JobBlobs, share: Share) -> None:
        self._line, self._blobs, self._share = line, blobs, share

    def known(self, verb: str, request: object, kind: type[R]) -> R | None:
        """Ask the server for the result of equal work."""
        found = self._line.ask({"kind": "known", "verb": verb, "args": encode(request)})
        self._blobs.own.update(named(found))
        return None if found is None else decode(kind, found)

    def answer(self, verb: str, request: object, result: object) -> None:
        """Send the result of other work, behind the blobs that it names."""
        written = encode(result)
        message = {"kind": "answer", "verb": verb, "args": encode(request), "result": written}
        self._line.say({**message, "blobs": self.offered(written)})

    def keep(self, result: object) -> None:
        """Send the result so far, behind the blobs that it names."""
        written = encode(result)
        self._line.say({"kind": "keep", "result": written, "blobs": self.offered(written)})

    def offered(self, result: Json) -> list[str]:
        """Put the job's blobs that a result names and that lie on this machine into the share, and return their names."""
        held = [name for name in sorted(named(result)) if self._blobs.has(name)]
        for name in held:
            self._share.offer(self._blobs, name)
        return held
