"""The engine that sends jobs to a Dask cluster; scheduler and workers are started by ``core.jobs.engines.launcher``.

A job travels as JSON and blobs travel through a share; Dask chooses the worker, and begins a job again whose worker died.
The server's own table stays the truth: what a worker found is written down here as it arrives, so that a scheduler that
is lost takes nothing with it but the work in hand.
"""

import json
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from core.domain.codec import Json, encode
from core.domain.errors import Cancelled, Unavailable, first_line
from core.domain.groups import GROUPS
from core.domain.job import Spec
from core.jobs.engines import Work, unread
from core.jobs.engines.cluster import checked, is_local, security
from core.jobs.engines.local import SPARE, LocalEngine
from core.jobs.engines.remote_job import BROKEN, Carry, Held, RemoteJob
from core.jobs.engines.share import Share
from core.jobs.turns import Places
from core.sandbox.tools import Tools

if TYPE_CHECKING:
    from distributed import Client

AT_ONCE = 16
"""The most jobs that run on the cluster at once; more wait in the line, where visitors take turns."""
UNKNOWN = 3
"""Jobs at once while no worker has been counted: the first of them waits for the scheduler, and says so."""
COUNT_SECONDS = 2.0
CALL_SECONDS = 15.0
CONNECT_SECONDS = 5.0
WAIT_SECONDS = 60.0
SWEEP_SECONDS = 3600.0


class DaskEngine(LocalEngine):
    """Threads of this process that each drive one job on the cluster at ``address``.

    ``carry`` is imported by the workers, which must be of the same ``version``. ``share`` is the URL at which both sides
    reach blobs. The verbs in ``stay`` run here. Raises Refused for an address that is not safe, Unavailable without Dask.
    """

    def __init__(
        self, address: str, carry: Carry, share: str, version: str = "", stay: frozenset[str] = frozenset()
    ) -> None:
        self._address = checked(address)
        if reason := GROUPS["dask"].unavailable():
            raise Unavailable("PORTOLAN_SCHEDULER is set, but " + reason, "Install it, or unset PORTOLAN_SCHEDULER.")
        security(self._address)
        super().__init__(AT_ONCE, 0)
        self._carry, self._share, self._version, self._stay = carry, Share(share), version, stay
        self._client: Client | None = None
        self._connecting = threading.Lock()
        self._swept = self._counted = -SWEEP_SECONDS
        self._workers = UNKNOWN

    def places(self) -> Places:
        """Return a place for each thread of the workers; some of them are kept for visitors who have none running.

        So a visitor's jobs wait in the line, and not with Dask, which begins them in the order in which they came.
        """
        if time.monotonic() - self._counted > COUNT_SECONDS and (client := self._client) is not None:
            self._counted = time.monotonic()
            with suppress(*BROKEN):
                self._workers = sum(client.nthreads().values())
        workers = min(AT_ONCE, max(1, self._workers))
        spare = min(SPARE, workers // 2)
        return Places(workers - spare, spare)

    def perform(self, spec: Spec, tools: Tools, work: Work) -> Json:
        """Have a worker do the work. Raises what it raised, Unavailable without a scheduler, Crashed when two workers were lost."""
        if spec.verb in self._stay:
            return super().perform(spec, tools, work)
        self._sweep()
        Held(tools, self._share).offer(spec.args)
        job = RemoteJob(self._connected(tools), self._address, self._share, tools)
        request = {
            "ticket": job.ticket,
            "spec": encode(spec),
            "version": self._version,
            "share": self._share.url,
        }
        return job.run(self._carry, json.dumps(request))

    def close(self) -> None:
        """Let each thread end after its job, and leave the cluster."""
        super().close()
        with self._connecting:
            self._leave()

    def _sweep(self) -> None:
        if time.monotonic() - self._swept > SWEEP_SECONDS:
            self._swept = time.monotonic()
            self._share.sweep()

    def _connected(self, tools: Tools) -> "Client":
        """Return the client, connected anew where the last one lost its scheduler; wait a minute for one to appear."""
        give_up, cause = time.monotonic() + WAIT_SECONDS, "no answer"
        while time.monotonic() < give_up and not tools.cancel.is_set():
            try:
                with self._connecting:
                    return self._connect()
            except BROKEN as error:
                cause = f"{type(error).__name__}: {first_line(error)}"
                tools.progress(None, f"Waiting for the Dask scheduler at {self._address}")
                tools.cancel.wait(1)
        if tools.cancel.is_set():
            raise Cancelled("The job was stopped.", "Start it again when you need it.")
        raise Unavailable(
            f"The Dask scheduler at {self._address} does not answer ({cause}).",
            "Start it, or correct PORTOLAN_SCHEDULER; then run the job again.",
        )

    def _connect(self) -> "Client":
        from distributed import Client

        unread.close()
        if self._client is None or self._client.status != "running":
            self._leave()
            self._client = Client(
                self._address,
                security=security(self._address),
                timeout=CONNECT_SECONDS,
                set_as_default=False,
                name="portolan",
            )
        return self._client

    def _leave(self) -> None:
        if self._client is not None:
            self._client.close(timeout=CALL_SECONDS)
            self._client = None


def share_of(address: str, chosen: str | None, here: str) -> str:
    """Return the URL of the share: as chosen, or a folder of this machine for a cluster that is here too.

    Raises Unavailable where workers on other machines would look for a folder that they do not see.
    """
    if chosen:
        return chosen
    if is_local(checked(address)):
        return here
    raise Unavailable(
        f"The workers of {address} cannot reach this machine's folders.",
        "Set PORTOLAN_BLOBS to a folder or bucket that the server and every worker can read and write.",
    )
