"""How much one job may use before it is stopped."""

import os
from dataclasses import dataclass

MB = 1024 * 1024
THREADS = 256 + 8 * (os.cpu_count() or 1)
"""More than the pools of all libraries in one child together, which each have a thread a processor."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one child process: seconds of wall clock and CPU, megabytes of memory and of written file, files and threads, and how far it stands back.

    ``nice`` is that of nice(2): where processors are short, the server and brief work come before a long job.
    """

    wall_seconds: float = 600.0
    cpu_seconds: int = 1200
    memory_mb: int = 6 * 1024
    file_mb: int = 4 * 1024
    open_files: int = 256
    threads: int = THREADS
    nice: int = 5


READING = Limits(wall_seconds=8.0, cpu_seconds=8, memory_mb=1800, file_mb=2048, nice=0)
"""For the audit and inspection of a file of unknown origin: an answer within 10 s and 2 GB, good or bad."""

READING_BOTH = Limits(wall_seconds=16.0, cpu_seconds=16, memory_mb=1800, file_mb=2048, nice=0)
"""For the inspection of a result with its source beside it."""

WORKING = Limits()
"""For conversions and proofs of a file that passed its audit."""

PACKING = Limits(wall_seconds=240.0, cpu_seconds=240, memory_mb=3072)
"""For packing a file for travel, which is worth no longer wait; the largest one that is packed took 90 s."""

SERVING = Limits(cpu_seconds=10**9, memory_mb=4096, file_mb=16, open_files=1024, nice=0)
"""For a server of one model, which runs until it is stopped."""
ROUTING = Limits(cpu_seconds=10**9, memory_mb=2048, file_mb=16, open_files=1024, nice=0)
"""For what passes requests on to servers."""


def limit_mb() -> int:
    """Return how large one file that comes in may be: ``PORTOLAN_MAX_UPLOAD_MB``, or 2048."""
    return int(os.environ.get("PORTOLAN_MAX_UPLOAD_MB", "2048"))
