"""Requests at a fixed rate to a server of this machine, timed from when each was due, and the search for the largest safe rate.

Requests are due at fixed times, so that a slow answer does not spare the server the next request (open loop). The client
runs on the same machine and shares its processors with the server. Percentiles are told by the rule of
``core/domain/percentile.py``, which takes answers for independent; those that wait in one queue are less so.
"""

import http.client
import json
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import quote

from core.domain.errors import Cancelled, Refused
from core.domain.load import Load, SafeRate, Tried
from core.domain.percentile import Percentile, fewest
from core.sandbox.tools import Tools
from core.sandbox.watched import HOST

CONNECTIONS = 32
MOST_RATE, MOST_SECONDS = 1000.0, 120.0
ANSWER_SECONDS = 30.0
TRIES, NEAR = 12, 1.1
"""Rates that the search tries at most, and the ratio of an unsafe rate to a safe one that is near enough."""
FEWEST = fewest(0.95)
TRY_SECONDS = 3.0, 30.0
"""A try takes at least and at most so long, so that nothing is shown safe below ``LEAST`` requests a second."""
LEAST = FEWEST / TRY_SECONDS[1]
EXAMPLE_BYTES = 64 << 20


@dataclass(frozen=True)
class Question:
    """A request that is sent again and again: the port of this machine, the path and the body."""

    port: int
    path: str
    body: bytes


def inference(name: str) -> str:
    """Return the path under which a model is asked."""
    return f"/v2/models/{quote(name, safe='')}/infer"


def example(folder: Path) -> bytes:
    """Return the package's own example. Raises Refused where it has none with values."""
    try:
        file = folder / "example.json"
        body = file.read_bytes() if file.stat().st_size <= EXAMPLE_BYTES else b"{}"
        if json.loads(body)["inputs"]:
            return body
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        pass
    raise Refused("The package has no example with values.", "Load the server with a request of your own.")


def measured(tools: Tools, question: Question, rate: float, seconds: float, budget: float | None = None) -> Load:
    """Load a server, and look for the largest safe rate where there is a budget. Raises Refused for what is off the bounds, Cancelled."""
    if not (0 < rate <= MOST_RATE and 0 < seconds <= MOST_SECONDS and (budget is None or 0 < budget < 1e6)):
        raise Refused("This load is off the bounds.", f"Up to {MOST_RATE:.0f} a second for {MOST_SECONDS:.0f} seconds.")
    total = max(1, round(rate * seconds))
    client = Client(question, rate, total, bears=total)
    client.run(tools, "")
    safe = None if budget is None else search(tools, question, rate, budget)
    return client.result(seconds, safe)


def search(tools: Tools, question: Question, rate: float, budget: float) -> SafeRate:
    """Double or halve from a rate to a safe one with an unsafe one above it, then halve what is between; ``TRIES`` at most."""
    tried: list[Tried] = []
    low: float | None = None
    high: float | None = None
    rate = max(rate, LEAST)
    while len(tried) < TRIES:
        tried.append(attempt(tools, question, rate, budget, len(tried) + 1))
        low, high = (rate, high) if tried[-1].safe else (low, rate)
        if low is not None and (low >= MOST_RATE or (high is not None and high / low <= NEAR)):
            break
        if low is None and rate <= LEAST:
            break
        rate = following(low, high)
    return SafeRate(budget, low, high, tuple(tried))


def following(low: float | None, high: float | None) -> float:
    """Return the rate to try next."""
    if high is None:
        return min(MOST_RATE, 2 * (low or 1.0))
    return max(LEAST, high / 2) if low is None else float((low * high) ** 0.5)


def attempt(tools: Tools, question: Question, rate: float, budget: float, place: int) -> Tried:
    """Try one rate."""
    seconds = min(TRY_SECONDS[1], max(TRY_SECONDS[0], FEWEST / rate))
    client = Client(question, rate, max(1, round(rate * seconds)), bears=0)
    client.run(tools, f"Looking for the largest safe rate, try {place} of {TRIES} at most, {rate:.3g} a second: ")
    found = Percentile.of(sorted(client.times), 0.95)
    safe = len(client.times) == client.total and found.bound is not None and found.bound <= budget
    return Tried(rate, client.sent, len(client.times), found.value, found.bound, safe)


@dataclass
class Client:
    """Connections that take the next request that is due, until all were sent."""

    question: Question
    rate: float
    total: int
    bears: int
    """Requests that may stay without an answer before it ends."""

    times: list[float] = field(default_factory=list)
    """Milliseconds of those that were answered with success."""
    refused: int = 0
    failed: int = 0
    late: float = 0.0
    sent: int = 0

    def run(self, tools: Tools, words: str) -> None:
        """Send them all. Raises Cancelled."""
        self.next, self.lock, self.began = count(), threading.Lock(), time.perf_counter() + 0.1
        self.over = threading.Event()
        threads = [threading.Thread(target=self.work) for _ in range(min(CONNECTIONS, self.total))]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            tools.progress(min(1.0, self.sent / self.total), f"{words}{self.sent:,} of {self.total:,} requests sent")
            if tools.cancel.wait(0.2) or self.refused + self.failed > self.bears:
                self.over.set()
        if tools.cancel.is_set():
            raise Cancelled("The load was stopped.", "Start it again when you need it.")

    def work(self) -> None:
        """Send what is due on one connection."""
        with closing(http.client.HTTPConnection(HOST, self.question.port, timeout=ANSWER_SECONDS)) as connection:
            while (place := next(self.next)) < self.total and not self.over.is_set():
                due = self.began + place / self.rate
                if (wait := due - time.perf_counter()) > 0 and self.over.wait(wait):
                    return
                self.note(due, time.perf_counter(), self.status(connection))

    def status(self, connection: http.client.HTTPConnection) -> int:
        """Send one request and return the status of its answer; 0 where none came."""
        try:
            connection.request("POST", self.question.path, self.question.body)
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
                self.times.append(1e3 * (time.perf_counter() - due))
            elif status == 429:
                self.refused += 1
            else:
                self.failed += 1

    def result(self, seconds: float, safe: SafeRate | None) -> Load:
        """Return the counts and the percentiles that the answers carry."""
        ordered = sorted(self.times)
        p50, p95, p99 = (Percentile.of(ordered, share).value for share in (0.5, 0.95, 0.99))
        counts = self.sent, len(self.times), self.refused, self.failed
        return Load(self.rate, seconds, *counts, p50, p95, p99, 1e3 * self.late, safe)
