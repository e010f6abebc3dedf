"""The engine that needs no service: a few threads of this process, each driving one jailed child at a time."""

import threading
import time
from collections.abc import Callable

from core.domain.codec import Json
from core.domain.job import Spec
from core.jobs.engines import Work
from core.jobs.turns import Places, Turns
from core.sandbox.tools import Tools

CLOSE_SECONDS = 10.0
SPARE = 2


class LocalEngine:
    """Runs ``open`` jobs at once, and up to ``spare`` more of visitors who have none running (see ``Places``)."""

    def __init__(self, open: int = 2, spare: int = SPARE) -> None:
        self._places = Places(open, spare)
        self._threads = [
            threading.Thread(target=self._drive, name=f"portolan-job-{number}", daemon=True)
            for number in range(open + spare)
        ]

    def start(self, turns: Turns, run: Callable[[str], None]) -> None:
        """Begin to call ``run`` for what the line has."""
        self._turns, self._run = turns, run
        for thread in self._threads:
            thread.start()

    def places(self) -> Places:
        """Return the same places always."""
        return self._places

    def perform(self, spec: Spec, tools: Tools, work: Work) -> Json:
        """Do the work on this thread."""
        return work(tools, spec.args)

    def close(self) -> None:
        """Let each thread end after its job; jobs that still stand in line stay queued in the store."""
        deadline = time.monotonic() + CLOSE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _drive(self) -> None:
        while (id := self._turns.next(self.places)) is not None:
            self._run(id)
            self._turns.ended(id)
