"""Where jobs run: on threads of this process (``local``), or on other machines.

The job table is the truth and an engine only carries. It keeps a thread for each job that it may drive at once; that
thread takes the next id from the line and calls ``run(id)``, in which the queue claims the row, asks the engine to
``perform`` the job, and writes down the end. Only ``perform`` may leave the machine. A cluster sends the Spec, which is plain JSON that names its files by
SHA-256; the far side fetches those blobs, runs the verb of that name with tools of its own, puts the blobs that it
made, and returns the verb's JSON. Meanwhile the near side forwards progress to ``tools.progress`` and watches
``tools.cancel``. An engine that loses a job may carry it again: a claim succeeds once, and blobs are equal or new.
"""

from collections.abc import Callable
from typing import Protocol

from core.domain.codec import Json
from core.domain.job import Spec
from core.jobs.turns import Places, Turns
from core.sandbox.tools import Tools

Work = Callable[[Tools, Json], Json]
"""A verb as a plain function: from its tools and its request to its result, both as JSON."""


class Engine(Protocol):
    """Carries jobs to where they run."""

    def start(self, turns: Turns, run: Callable[[str], None]) -> None:
        """Take the line, and the function that drives one job of it, by its id, from claim to end; it never raises."""

    def places(self) -> Places:
        """Return how many jobs may run at once, now."""

    def perform(self, spec: Spec, tools: Tools, work: Work) -> Json:
        """Do the work of a claimed job, here or elsewhere, and return its result. Raises what the work raises."""

    def close(self) -> None:
        """Wait a while for the jobs that run; the line is closed and their cancel events are set already."""
