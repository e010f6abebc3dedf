"""One job on the cluster, as the server sees it: sent, followed, and taken back.

What the worker says is applied by the thread that drives the job, in the order in which it was said.
"""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable
from concurrent import futures
from functools import partial
from typing import TYPE_CHECKING, Any

from core.domain.bounds import DAY
from core.domain.codec import Json, decode, parse
from core.domain.errors import Cancelled, Crashed, Trouble, Unavailable, first_line, from_trouble
from core.jobs.engines.share import Share, named
from core.jobs.engines.unread import Unread
from core.sandbox.tools import Tools

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
LOOK_SECONDS = 1.0
CALL_SECONDS = 15.0
STOP_SECONDS = 10.0
STARTS = 2
KILLED = "distributed.scheduler.KilledWorker"
BROKEN = (OSError, TimeoutError, RuntimeError, KeyError, AttributeError, asyncio.CancelledError, futures.CancelledError)
"""What Dask's client raises without its scheduler; asyncio's is no Exception, and would end the thread."""

Carry = Callable[[str], str]
"""What a worker imports by name and calls: from a request to an answer, both JSON (see ``core.jobs.engines.remote_worker.carry``)."""


class Held:
    """The server's blobs as a job on the cluster sees them."""

    def __init__(self, tools: Tools, share: Share) -> None:
        self._blobs, self._share = tools.blobs, share

    def offer(self, value: Any) -> None:
        """Put the job's blobs that a JSON value names into the share."""
        for name in named(value):
            if self._blobs.has(name):
                self._share.offer(self._blobs, name)

    def take(self, names: list[str]) -> None:
        """Copy blobs that a worker made into the store. Raises Refused for bytes that are not what their name says."""
        for name in names:
            self._share.take(self._blobs, name)


class RemoteJob:
    """One job on the cluster, from this side: what the worker says is applied here, in order, by the job's own thread."""

    def __init__(self, client: "Client", address: str, share: Share, tools: Tools) -> None:
        from distributed import Queue

        self.ticket = f"portolan-{secrets.token_hex(8)}"
        self._client, self._address, self._tools = client, address, tools
        self._held = Held(tools, share)
        self._up, self._down = (
            self._asking(partial(Queue, f"{self.ticket}-{way}", client=client)) for way in ("up", "down")
        )
        self._workers: list[str] = []

    def run(self, carry: Carry, request: str) -> Json:
        """Submit the job, and follow it to its end."""
        future = self._asking(partial(self._client.submit, carry, request, key=self.ticket, pure=False))
        try:
            self._follow(future)
            return self._ended(future)
        finally:
            self._forget(future)

    def _follow(self, future: "Future") -> None:
        """Apply what arrives until the job ends. Raises Cancelled, Crashed for a third start, Unavailable."""
        look = time.monotonic() + LOOK_SECONDS
        while not future.done():
            if self._tools.cancel.wait(POLL_SECONDS):
                self._stop(future)
            self._read()
            if time.monotonic() > look:
                self._look()
                look = time.monotonic() + LOOK_SECONDS
        if not future.cancelled():
            self._read()

    def _look(self) -> None:
        """Say so when no worker has begun the job, or the one that had is gone; Dask gives it to the next."""
        if not self._workers:
            self._tools.progress(None, "Waiting for a free worker of the cluster")
        elif self._workers[-1] not in self._asking(self._client.nthreads):
            self._tools.progress(None, f"The worker at {self._workers[-1]} was lost; waiting for another worker")

    def _read(self) -> None:
        batches = self._asking(lambda: self._up.get(batch=True, callback_timeout=CALL_SECONDS))
        for text in (text for batch in batches for text in batch):
            message = parse(text)
            HEARD[message.pop("kind")](self, message)

    def started(self, message: dict[str, Any]) -> None:
        """Note which worker runs the job; Dask may be set to try more often than we do."""
        self._workers.append(str(message["worker"]))
        if len(self._workers) > STARTS:
            raise self._died(self._workers[:STARTS])
        again = f"The worker at {self._workers[0]} was lost; running again" if len(self._workers) > 1 else "Running"
        self._tools.progress(None, f"{again} on the worker at {self._workers[-1]}")

    def progressed(self, message: dict[str, Any]) -> None:
        """Pass progress on."""
        self._tools.progress(message["fraction"], message["text"])

    def kept(self, message: dict[str, Any]) -> None:
        """Write the result so far down, behind its blobs."""
        self._held.take(message["blobs"])
        self._tools.memory.keep(message["result"])

    def answered(self, message: dict[str, Any]) -> None:
        """Write the result of other work down, behind its blobs."""
        self._held.take(message["blobs"])
        self._tools.memory.answer(message["verb"], message["args"], message["result"])

    def spent(self, message: dict[str, Any]) -> None:
        """Count the processor time of a child there. Raises Cancelled where that was the last of the visitor's day."""
        self._tools.meter.spend(min(max(0.0, float(message["seconds"])), DAY))
        self._tools.meter.check()

    def asked(self, message: dict[str, Any]) -> None:
        """Tell the worker what is known, behind the blobs that it will want."""
        found = self._tools.memory.known(message["verb"], message["args"], dict[str, Json])
        self._held.offer(found)
        self._tell({"kind": "known", "question": message["question"], "answer": found})

    def _tell(self, message: dict[str, Any]) -> None:
        self._asking(lambda: self._down.put(json.dumps(message), callback_timeout=CALL_SECONDS))

    def _asking(self, call: Callable[[], Any]) -> Any:
        """Call the scheduler. Raises Unavailable when it is lost."""
        try:
            return call()
        except BROKEN as error:
            raise self._lost() from error

    def _stop(self, future: "Future") -> None:
        """Have the worker kill its child, and wait until it says that it did. Raises Cancelled."""
        self._tell({"kind": "cancel"})
        give_up = time.monotonic() + STOP_SECONDS
        while self._workers and not future.done() and time.monotonic() < give_up:
            time.sleep(POLL_SECONDS)
        if not future.cancelled():
            self._read()
        raise Cancelled("The job was stopped.", "Start it again when you need it.")

    def _ended(self, future: "Future") -> Json:
        """Return the result with its blobs in the store, or raise why there is none."""
        if future.status == "error":
            raise self._broken(future.exception(timeout=CALL_SECONDS))
        answer = parse(self._asking(lambda: future.result(timeout=CALL_SECONDS)))
        if "trouble" in answer:
            raise from_trouble(decode(Trouble, answer["trouble"]))
        self._held.take(answer["blobs"])
        result: Json = answer["result"]
        return result

    def _forget(self, future: "Future") -> None:
        """Let the scheduler forget the job and its queues; a worker that still runs it stops when it is not heard."""
        try:
            if not future.done():
                self._down.put(json.dumps({"kind": "cancel"}), callback_timeout=CALL_SECONDS)
                future.cancel()
            future.release()
            self._up.close()
            self._down.close()
        except (*BROKEN, Unavailable) as error:
            log.info("a job could not be taken back from the cluster: %s", error)

    def _broken(self, error: BaseException | None) -> Exception:
        if isinstance(error, Unread) and error.kind == KILLED:
            return self._died([*self._workers, *addresses(error)][:STARTS])
        kind = error.kind if isinstance(error, Unread) else type(error).__name__
        return Unavailable(
            f"A worker could not take the job: {kind}: {first_line(error or OSError())}",
            "Start the scheduler and the workers with `python -m core cluster` of the same Portolan version.",
        )

    def _died(self, workers: list[str]) -> Crashed:
        return Crashed(
            f"Every worker that ran this job was lost while running it: {' and '.join(dict.fromkeys(workers))}.",
            "Check the logs of these workers (a machine that ran out of memory is the usual cause), then run the job again.",
        )

    def _lost(self) -> Unavailable:
        return Unavailable(
            f"The Dask scheduler at {self._address} was lost while this job was running.",
            "Start the scheduler and its workers again, then run the job again; finished results are kept.",
        )


def addresses(killed: Unread) -> list[str]:
    """Return the address of the last worker that an error of Dask's names, as far as it says one."""
    states = [part.state for part in killed.args if isinstance(part, Unread)]
    slots = [part for state in states for part in (state if isinstance(state, tuple) else (state,))]
    return [str(part["address"]) for part in slots if isinstance(part, dict) and "address" in part]


HEARD: dict[str, Callable[[RemoteJob, dict[str, Any]], None]] = {
    "start": RemoteJob.started,
    "progress": RemoteJob.progressed,
    "keep": RemoteJob.kept,
    "answer": RemoteJob.answered,
    "spent": RemoteJob.spent,
    "known": RemoteJob.asked,
}
"""What a worker says, and who hears it."""
