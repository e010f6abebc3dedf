"""Ask a served package at a fixed rate, and time each answer from when its request was due.

Requests are due at fixed times, so that a slow answer does not spare the server the next request (open loop). The client
runs on the same machine and shares its processors with the server.
"""

import http.client
import json
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import count

from core.calls.bench import Bench
from core.domain.errors import Cancelled, Refused
from core.domain.load import Load, LoadRequest
from core.domain.reach import may_serve
from core.jobs.verb import Verb
from core.memory.store import Store
from core.sandbox.servers import HOST, Server
from core.sandbox.tools import Tools

CONNECTIONS = 32
MOST_RATE, MOST_SECONDS = 1000.0, 120.0
ANSWER_SECONDS = 30.0


def run(tools: Tools, request: LoadRequest) -> Load:
    """Load a server. Raises Refused for a rate or a time off the bounds, NotFound for a server that is gone."""
    if not (0 < request.rate <= MOST_RATE and 0 < request.seconds <= MOST_SECONDS):
        raise Refused("This load is off the bounds.", f"Up to {MOST_RATE:.0f} a second for {MOST_SECONDS:.0f} seconds.")
    server = tools.sandbox.servers.known(request.server)
    with Bench(tools).alone():
        client = Client(server, example(server), request.rate, int(request.rate * request.seconds))
        client.run(tools)
    return client.result(request)


def example(server: Server) -> tuple[str, bytes]:
    """Return the path and the body of the package's own example. Raises Refused where it has none with values."""
    name = json.loads((server.folder / "in" / "signature.json").read_text())["model"]
    body = (server.folder / "in" / "example.json").read_bytes()
    if not json.loads(body)["inputs"]:
        raise Refused("The recorded inputs are too large for an example.", "Load the server with your own client.")
    return f"/v2/models/{name}/infer", body


@dataclass
class Client:
    """Connections that take the next request that is due, until all were sent."""

    server: Server
    what: tuple[str, bytes]
    rate: float
    total: int
    times: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0
    late: float = 0.0
    sent: int = 0

    def run(self, tools: Tools) -> None:
        """Send them all. Raises Cancelled."""
        self.next, self.lock, self.began = count(), threading.Lock(), time.perf_counter() + 0.1
        threads = [
            threading.Thread(target=self.work, args=(tools.cancel,)) for _ in range(min(CONNECTIONS, self.total))
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            tools.progress(min(1.0, self.sent / self.total), f"{self.sent:,} of {self.total:,} requests sent")
            time.sleep(0.2)
        if tools.cancel.is_set():
            raise Cancelled("The load was stopped.", "Start it again when you need it.")

    def work(self, cancel: threading.Event) -> None:
        """Send what is due on one connection."""
        with closing(http.client.HTTPConnection(HOST, self.server.port, timeout=ANSWER_SECONDS)) as connection:
            while (place := next(self.next)) < self.total and not cancel.is_set():
                due = self.began + place / self.rate
                if (wait := due - time.perf_counter()) > 0:
                    time.sleep(wait)
                self.note(due, time.perf_counter(), self.status(connection))

    def status(self, connection: http.client.HTTPConnection) -> int:
        """Send one request and return the status of its answer; 0 where none came."""
        path, body = self.what
        try:
            connection.request("POST", path, body)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            with suppress(OSError):
                connection.close()
            return 0
        return answer.status

    def note(self, due: float, sent: float, status: int) -> None:
        """Count one answer."""
        with self.lock:
            self.sent += 1
            self.late = max(self.late, sent - due)
            if status == 200:
                self.times.append(time.perf_counter() - due)
            elif status == 429:
                self.refused += 1
            else:
                self.failed += 1

    def result(self, request: LoadRequest) -> Load:
        """Return the counts and the percentiles."""
        p50, p95, p99 = (percentile(self.times, share) for share in (0.5, 0.95, 0.99))
        counts = self.sent, len(self.times), self.refused, self.failed
        return Load(request.rate, request.seconds, *counts, p50, p95, p99, 1e3 * self.late)


def percentile(times: list[float], share: float) -> float | None:
    """Return the milliseconds within which a share of the answers came: the smallest time of which that is true."""
    ranked = sorted(times)
    return 1e3 * ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else None


def permit(visitor: str) -> None:
    """Raise Refused for a visitor who may not serve anything on this machine."""
    if not may_serve():
        raise Refused(
            "This server is for others too, and nobody signs in, so no package is served on it.",
            "Unpack the package and run `python server.py`.",
        )


def record(store: Store, visitor: str, request: LoadRequest, result: Load, job: str) -> str | None:
    """Write the figures beside the model."""
    store.add_report(visitor, request.subject.owned, "load", result, job=job)
    return request.subject.artifact


def title(request: LoadRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Load the server of {request.subject.name} with {request.rate:g} requests a second"


VERB = Verb("load", LoadRequest, Load, run, record, title, page="migrate.py", permit=permit)
"""A measure of a running server, which the command line has none of."""
