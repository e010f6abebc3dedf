"""Where jobs run: on threads of this process (``local``), or on other machines.

The job table is the truth and an engine only carries. It keeps a thread for each job that it may drive at once; that
thread calls ``run(id)``, in which the queue claims the row, asks the engine to ``perform`` the job, and writes down
the end. Only ``perform`` may leave the machine. A cluster sends the Spec, which is plain JSON that names its files by
SHA-256; the far side fetches those blobs, runs the verb of that name with tools of its own, puts the blobs that it
made, and returns the verb's JSON. Meanwhile the near side forwards progress to ``tools.progress`` and watches
``tools.cancel``. An engine that loses a job may carry it again: a claim succeeds once, and blobs are equal or new.
"""

from collections.abc import Callable
from typing import Protocol

from core.domain.codec import Json
from core.domain.job import Spec
from core.sandbox.tools import Tools

Work = Callable[[Tools, Json], Json]
"""A verb as a plain function: from its tools and its request to its result, both as JSON."""


class Engine(Protocol):
    """Carries jobs to where they run."""

    def start(self, run: Callable[[str], None]) -> None:
        """Take the function that drives one job, by its id, from claim to end; it never raises."""

    def submit(self, id: str) -> None:
        """Have ``run(id)`` called on a thread of the engine, in the order of submission; more than once does no harm."""

    def perform(self, spec: Spec, tools: Tools, work: Work) -> Json:
        """Do the work of a claimed job, here or elsewhere, and return its result. Raises what the work raises."""

    def close(self) -> None:
        """Begin no more jobs, and wait a while for those that run; their cancel events are set already."""
