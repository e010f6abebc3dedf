"""A template as its parent sees it: a process that has imported what its kind needs, and forks the children of it.

The template runs our code alone, and is told nothing of a job but the folder. Each child is adopted by this process, so
that its id stays taken until it was waited for, its exit code is known and it dies with this process, as if it had been
started here. All children of a template have one layout of addresses, which is why its number of children is bounded.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess  # noqa: TID251
import threading
from collections.abc import Iterator
from pathlib import Path

from core.domain import groups
from core.sandbox.child import Ends, environment

MOST_CHILDREN = 200
IMPORT_SECONDS, FORK_SECONDS = 120.0, 20.0
LEAVING_SECONDS = 1.0
UNFIT = 3
"""The exit code of a template that must not fork."""
ANSWER_BYTES = 64
PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37


class Gone(Exception):
    """A template that does not fork (any more); ``for_good`` where another one of its kind would not do so either."""

    def __init__(self, for_good: bool) -> None:
        super().__init__("the template is gone")
        self.for_good = for_good


class Forked:
    """A child that a template forked and this process adopted, as ``subprocess.Popen`` would show it."""

    def __init__(self, pid: int) -> None:
        """Raises ChildProcessError when the process is not this one's child."""
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        self.pid, self.returncode = pid, None

    returncode: int | None

    def poll(self) -> int | None:
        """Return the exit code if it has ended."""
        return self._waited(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end and return the exit code."""
        return self._waited(0) or 0

    def _waited(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:  # somebody else in this process waited for all children
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


class Template:
    """One process of the worker that forks; one thread starts it, asks it and stops it."""

    def __init__(self, module: str, kind: str, folder: Path) -> None:
        self.folder, self.left, self._ready, self._lock = folder, MOST_CHILDREN, False, threading.Lock()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, contextlib.ExitStack() as kept:
            kept.enter_context(ours)
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603
                [str(groups.python_for(kind)), "-P", "-m", module, kind, str(os.getpid()), "template"],
                cwd=folder,
                env=environment(folder),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            kept.pop_all()
        self._socket = ours

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    def usable(self) -> bool:
        """Say whether it lives and may fork once more."""
        return self.left > 0 and self._process.poll() is None

    def fork(self, folder: Path, ends: Ends) -> Forked:
        """Have it fork a child for a folder and three pipes. Raises Gone."""
        try:
            self._await_imports()
            return self._forked(folder, ends)
        except OSError as error:  # a broken or silent connection, or a child that nobody adopted
            raise Gone(for_good=self._unfit()) from error

    def hang_up(self) -> None:
        """End what waits for its imports in another thread, and ask nothing more of it; a child that it forks now is still told of."""
        with self._lock, contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR if self._ready else socket.SHUT_RDWR)

    def stop(self) -> None:
        """Kill it and wait for it; its children live on."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        self._socket.close()

    def _await_imports(self) -> None:
        if not self._ready:
            self._socket.settimeout(IMPORT_SECONDS)
            self._heard()
            self._socket.settimeout(FORK_SECONDS)
            with self._lock:
                self._ready = True

    def _forked(self, folder: Path, ends: Ends) -> Forked:
        place = json.dumps({"folder": str(folder), "environment": environment(folder)}).encode()
        with _adopting():
            socket.send_fds(self._socket, [place], ends)
            self.left -= 1
            return Forked(int(self._heard()))

    def _heard(self) -> bytes:
        answer = self._socket.recv(ANSWER_BYTES)
        if not answer:
            raise ConnectionResetError
        return answer

    def _unfit(self) -> bool:
        """Say whether it left by itself: imports that fail, or threads that they started, are there in the next one too."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(LEAVING_SECONDS)
            return code == UNFIT or (code >= 0 and not self._ready)
        return False


_one_fork = threading.Lock()


@contextlib.contextmanager
def _adopting() -> Iterator[None]:
    """Have orphans below this process become its children as long as the block lasts (PR_SET_CHILD_SUBREAPER(2const)).

    Only as long: what else runs here may leave orphans of its own, which nobody here would wait for.
    """
    libc, before = ctypes.CDLL(None, use_errno=True), ctypes.c_int()
    with _one_fork:
        libc.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            yield
        finally:
            libc.prctl(PR_SET_CHILD_SUBREAPER, before.value, 0, 0, 0)
