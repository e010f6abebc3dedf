"""A jailed process on a port of loopback: watched, begun again after a crash, ended with this one.

The port is bound here and stays open while the process is begun again, so that who asks meanwhile waits and is not turned away.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess  # noqa: TID251
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

from core.domain.errors import Crashed
from core.sandbox import scratch
from core.sandbox.child import environment

CRASHES, WITHIN_SECONDS = 5, 60.0
"""So many ends in so many seconds, and a process is not begun again."""
STOP_SECONDS = 12.0
LINES, LINE_BYTES = 200, 2000
HOST = "127.0.0.1"


class Standing(StrEnum):
    """How a process is."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "starting again"
    FAILED = "failed"
    STOPPED = "stopped"


class Watched:
    """One process: where it answers, how it is, and the last lines of its log. What it is made of lies in its folder before ``begin``."""

    module = ""
    """What is run, as ``python -m MODULE PARENT SOCKET``."""

    health = "/v2/health/ready"

    def __init__(self, owner: str, title: str, folder: Path, settings: dict[str, str]) -> None:
        self.id, self.owner, self.title = uuid4().hex, owner, title
        self.restarts, self.ends = 0, deque[float](maxlen=CRASHES)
        self.lines: deque[str] = deque(maxlen=LINES)
        self._settings, self._stopping, self._failed = settings, threading.Event(), False
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = scratch.fresh(folder)
        self._socket = socket.create_server((HOST, 0), backlog=128)
        self._socket.set_inheritable(True)
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._watch, name=f"{type(self).__name__}-{self.id[:8]}", daemon=True)

    def begin(self) -> None:
        """Start it."""
        self._thread.start()

    @property
    def name(self) -> str:
        """The model that it answers for, in its addresses."""
        return ""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process that answers now."""
        return self._process.pid if self._process is not None else None

    @property
    def standing(self) -> Standing:
        """How it is now; asks it whether it is ready."""
        if self._stopping.is_set():
            return Standing.STOPPED
        if self._failed:
            return Standing.FAILED
        if self._process is not None and self._process.poll() is None and self._ready():
            return Standing.READY
        return Standing.RESTARTING if self.restarts else Standing.STARTING

    def until_ready(self, seconds: float, check: Callable[[], None]) -> None:
        """Wait until it is ready, with a ``check`` in between that may raise. Raises Crashed with the last of its log."""
        deadline = time.monotonic() + seconds
        while (now := self.standing) is not Standing.READY:
            check()
            if now in (Standing.FAILED, Standing.STOPPED) or time.monotonic() > deadline:
                raise Crashed("The server did not become ready.", f"The last of its log: {' '.join(self.lines)[-300:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Let it answer what runs, end it, and remove its folder."""
        self._stopping.set()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._thread.join(STOP_SECONDS)
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._thread.join(STOP_SECONDS)
        self._leave()

    def _leave(self) -> None:
        """Give up the port and the folder."""
        self._socket.close()
        scratch.remove(self.folder)

    def _watch(self) -> None:
        """Begin the process, keep the last of its log, and begin it again when it ends; it dies with this thread."""
        while not self._stopping.is_set():
            with self._begun() as process:
                if self._stopping.is_set():  # it was stopped before there was a process to be told so
                    process.terminate()
                while process.stderr is not None and (line := process.stderr.readline(LINE_BYTES)):
                    self.lines.append(line.decode(errors="replace").rstrip())
            self.ends.append(time.monotonic())
            if self._stopping.is_set():
                return
            if len(self.ends) == CRASHES and self.ends[-1] - self.ends[0] < WITHIN_SECONDS:
                self._failed = True
                return
            self.restarts += 1

    def _begun(self) -> "subprocess.Popen[bytes]":
        self._process = self._start((), subprocess.DEVNULL, subprocess.DEVNULL)
        return self._process

    def _start(self, ends: tuple[int, ...], orders: int, events: int) -> "subprocess.Popen[bytes]":
        """Start the process with its port and further open files; ``orders`` becomes its input, ``events`` its output."""
        files = (self._socket.fileno(), *ends)
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", self.module, str(os.getpid()), *map(str, files)],
            cwd=self.folder,
            env={**environment(self.folder), **self._settings},
            stdin=orders,
            stdout=events,
            stderr=subprocess.PIPE,
            pass_fds=files,
            start_new_session=True,
        )

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=1)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", self.health)
            return connection.getresponse().status == 200
        return False
