"""A machine that is busy with other things."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Keep every processor at work beside a test."""
    work = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in work:
            process.kill()
            process.wait()
