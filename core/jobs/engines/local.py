"""The engine that needs no service: a few threads of this process, each driving one jailed child at a time."""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from core.domain.codec import Json
from core.domain.job import Spec
from core.jobs.engines import Work
from core.sandbox.tools import Tools

CLOSE_SECONDS = 10.0


class LocalEngine:
    """Runs as many jobs at once as it has threads, first come first served."""

    def __init__(self, threads: int = 2) -> None:
        self._ids: SimpleQueue[str | None] = SimpleQueue()
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._drive, name=f"portolan-job-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self, run: Callable[[str], None]) -> None:
        """Begin to call ``run`` for what is submitted."""
        self._run = run
        for thread in self._threads:
            thread.start()

    def submit(self, id: str) -> None:
        """Put a job at the end of the line."""
        self._ids.put(id)

    def perform(self, spec: Spec, tools: Tools, work: Work) -> Json:
        """Do the work on this thread."""
        return work(tools, spec.args)

    def close(self) -> None:
        """Let each thread end after its job; jobs that still stand in line stay queued in the store."""
        self._closed.set()
        for _ in self._threads:
            self._ids.put(None)
        deadline = time.monotonic() + CLOSE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _drive(self) -> None:
        while (id := self._ids.get()) is not None and not self._closed.is_set():
            self._run(id)
