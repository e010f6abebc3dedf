"""One measurement at a time on a machine: whoever measures holds a lock on one file, whatever home or process it is of.

The lock is of the operating system (flock(2)), so it falls when its holder dies. It covers the processes of one user; where
the platform has none, nobody waits.
"""

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from core.domain.errors import Cancelled

WAIT_SECONDS = 0.1


def lock_file() -> Path:
    """Return the file that all measurements of this user on this machine lock."""
    return Path(tempfile.gettempdir()) / f"portolan-measures-{os.getuid() if hasattr(os, 'getuid') else 0}.lock"


@contextlib.contextmanager
def measuring(cancel: threading.Event, waiting: Callable[[], None], path: Path | None = None) -> Iterator[None]:
    """Hold this machine's one place for a measurement as long as the block lasts.

    Calls ``waiting`` once where somebody else measures. Raises Cancelled where ``cancel`` is set meanwhile.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(path or lock_file(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not _taken(lambda: fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)):
            waiting()
        while not _taken(lambda: fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)):
            if cancel.wait(WAIT_SECONDS):
                raise Cancelled("The job was stopped.", "Start it again when you need it.")
        yield
    finally:
        os.close(handle)


def _taken(take: Callable[[], None]) -> bool:
    try:
        take()
    except BlockingIOError:
        return False
    return True
