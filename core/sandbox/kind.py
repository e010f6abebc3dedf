"""Where the children of one kind come from: forked from a template where the system can, else each a process of its own."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from core.domain.errors import Cancelled, OverLimit
from core.sandbox import scratch
from core.sandbox.child import Child, Ends, Process, started
from core.sandbox.template import Gone, Template

R = TypeVar("R")


class Kind:
    """One kind of child, with the one thread that starts them all: the kernel ends a process with the thread that started it."""

    def __init__(self, name: str, module: str, root: Path) -> None:
        self._name, self._module, self._root = name, module, root
        self._thread = ThreadPoolExecutor(1, f"sandbox-{name}")
        self._template: Template | None = None
        self._lock, self._closed, self._forks = threading.Lock(), False, sys.platform == "linux"

    def child(self) -> Future[Child]:
        """Have a child made. Raises Cancelled when this is closed, and the future that or OverLimit."""
        return self._submitted(self._made)

    def retire(self) -> None:
        """End the template; another one is made when a child is asked for."""
        self._submitted(self._give_back).result()

    def hang_up(self) -> None:
        """Have everything that waits for the template end, and nothing more be made."""
        with self._lock:
            self._closed = True
            if self._template:
                self._template.hang_up()

    def close(self) -> None:
        """Wait for what is being made and end the template; the thread's other children are killed with it."""
        self.hang_up()
        with contextlib.suppress(Cancelled):
            self.retire()
        self._thread.shutdown()

    def _submitted(self, act: Callable[[], R]) -> Future[R]:
        try:
            return self._thread.submit(act)
        except RuntimeError:
            raise _closing() from None

    def _made(self) -> Child:
        if self._closed:
            raise _closing()
        try:
            with self._folder() as folder:
                return Child(folder, self._start)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise OverLimit(
                f"A child process could not be started: {reason}.", "Free disk space and memory, and try again."
            ) from error

    def _start(self, folder: Path, ends: Ends) -> Process:
        if self._forks:
            try:
                return self._usable().fork(folder, ends)
            except Gone as gone:
                self._forks = not gone.for_good
                self._give_back()
        if self._closed:
            raise _closing()
        return started(self._module, self._name, folder, ends)

    def _usable(self) -> Template:
        if self._template and self._template.usable():
            return self._template
        self._give_back()
        with self._folder() as folder:
            template = Template(self._module, self._name, folder)
        with self._lock:
            self._template = template
            if self._closed:
                template.hang_up()
        return template

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        """Make a folder for a process, and remove it when there will be none."""
        folder = scratch.fresh(self._root)
        try:
            yield folder
        except BaseException:
            scratch.remove(folder)
            raise

    def _give_back(self) -> None:
        with self._lock:
            template, self._template = self._template, None
        if template:
            template.stop()
            scratch.remove(template.folder)


def _closing() -> Cancelled:
    return Cancelled("Portolan is closing.", "Start it again.")
