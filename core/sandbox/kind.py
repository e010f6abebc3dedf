"""Where the children of one kind come from."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from core.domain.errors import Cancelled, OverLimit
from core.sandbox import scratch
from core.sandbox.child import Child, started


class Kind:
    """One kind of child, with the one thread that starts them all: the kernel ends a process with the thread that started it."""

    def __init__(self, name: str, module: str, root: Path) -> None:
        self._name, self._module, self._root = name, module, root
        self._thread = ThreadPoolExecutor(1, f"sandbox-{name}")
        self._closed = False

    def child(self) -> Future[Child]:
        """Have a child made. Raises Cancelled when this is closed, and the future that or OverLimit."""
        try:
            return self._thread.submit(self._made)
        except RuntimeError:
            raise _closing() from None

    def hang_up(self) -> None:
        """Have nothing more be made."""
        self._closed = True

    def close(self) -> None:
        """Wait for what is being made; the thread's other children are killed with it."""
        self.hang_up()
        self._thread.shutdown()

    def _made(self) -> Child:
        if self._closed:
            raise _closing()
        try:
            with self._folder() as folder:
                return Child(folder, partial(started, self._module, self._name))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise OverLimit(
                f"A child process could not be started: {reason}.", "Free disk space and memory, and try again."
            ) from error

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        """Make a folder for a process, and remove it when there will be none."""
        folder = scratch.fresh(self._root)
        try:
            yield folder
        except BaseException:
            scratch.remove(folder)
            raise


def _closing() -> Cancelled:
    return Cancelled("Portolan is closing.", "Start it again.")
