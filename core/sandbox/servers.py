"""Servers of packages on loopback: each a jailed process of its own, watched, begun again after a crash, ended with this one.

The port is bound here and stays open while a server is begun again, so that who asks meanwhile waits and is not turned away.
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

from core.border import archives
from core.domain.errors import Crashed, NotFound, OverLimit, Refused
from core.sandbox import scratch
from core.sandbox.child import environment

MODULE = "core.doors.served"
MOST = 4
"""Servers at the same time; each holds a model in memory."""
CRASHES, WITHIN_SECONDS = 5, 60.0
"""So many ends in so many seconds, and a server is not begun again."""
STOP_SECONDS = 12.0
LINES = 200
HOST = "127.0.0.1"


class Standing(StrEnum):
    """How a server is."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "starting again"
    FAILED = "failed"
    STOPPED = "stopped"


class Server:
    """One package that is served: where, for whom, how it is, and the last lines of its log."""

    package: str = ""
    """The SHA-256 of the package, where it is a visitor's."""

    model: str = ""
    """The artifact that the package was made from, where it is a visitor's."""

    def __init__(self, owner: str, title: str, package: Path, folder: Path, settings: dict[str, str]) -> None:
        self.id, self.owner, self.title = uuid4().hex, owner, title
        self.restarts, self.ends = 0, deque[float](maxlen=CRASHES)
        self.lines: deque[str] = deque(maxlen=LINES)
        self._settings, self._stopping, self._failed = settings, threading.Event(), False
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = scratch.fresh(folder)
        unpacked(package, self.unpacked)
        self._socket = socket.create_server((HOST, 0), backlog=128)
        self._socket.set_inheritable(True)
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._watch, name=f"server-{self.id[:8]}", daemon=True)
        self._thread.start()

    @property
    def unpacked(self) -> Path:
        """The folder with the files of the package, which the process cannot write."""
        return self.folder / "in"

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
        self._socket.close()
        scratch.remove(self.folder)

    def _watch(self) -> None:
        """Begin the process, keep the last of its log, and begin it again when it ends; it dies with this thread."""
        while not self._stopping.is_set():
            with self._begun() as process:
                for line in process.stderr or ():
                    self.lines.append(line.decode(errors="replace").rstrip()[:2000])
            self.ends.append(time.monotonic())
            if self._stopping.is_set():
                return
            if len(self.ends) == CRASHES and self.ends[-1] - self.ends[0] < WITHIN_SECONDS:
                self._failed = True
                return
            self.restarts += 1

    def _begun(self) -> "subprocess.Popen[bytes]":
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", MODULE, str(os.getpid()), str(self._socket.fileno())],
            cwd=self.folder,
            env={**environment(self.folder), **self._settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(self._socket.fileno(),),
            start_new_session=True,
        )
        return self._process

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=1)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/v2/health/ready")
            return connection.getresponse().status == 200
        return False


def unpacked(package: Path, folder: Path) -> None:
    """Write the files of a package into a folder. Raises Refused for an archive that is none of ours."""
    with archives.walk(package) as archive:
        for name in archive.names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            archive.copy(name, target)


class Servers:
    """The servers of this process."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._servers: dict[str, Server] = {}

    def begin(self, owner: str, title: str, package: Path, full: bool, settings: dict[str, str]) -> Server:
        """Serve a package. Raises Refused where the jail is not full, OverLimit where too many are served."""
        if not full:
            raise Refused(
                "This machine cannot lock a server in, so none is started here.",
                "Unpack the package and run `python server.py`.",
            )
        with self._lock:
            if len(self._servers) >= MOST:
                raise OverLimit(f"{MOST} servers run, as many as may.", "Stop one of them.")
            server = Server(owner, title, package, self._folder, settings)
            self._servers[server.id] = server
            return server

    def of(self, owner: str) -> list[Server]:
        """Return the servers of a visitor, the newest first."""
        return [one for one in reversed(list(self._servers.values())) if one.owner == owner]

    def named(self, owner: str, id: str) -> Server:
        """Return one server of a visitor. Raises NotFound."""
        found = self._servers.get(id)
        if found is None or found.owner != owner:
            raise NotFound("There is no such server any more.", "Start it again.")
        return found

    def known(self, id: str) -> Server:
        """Return a server by its id, which nobody guesses. Raises NotFound."""
        if (found := self._servers.get(id)) is None:
            raise NotFound("There is no such server any more.", "Start it again.")
        return found

    def stop(self, server: Server) -> None:
        """Stop one server."""
        with self._lock:
            self._servers.pop(server.id, None)
        server.stop()

    def sift(self, has: Callable[[str, str], bool]) -> None:
        """Stop those whose owner has the model no more; ``has`` is asked with owner and artifact."""
        for server in list(self._servers.values()):
            if server.model and not has(server.owner, server.model):
                self.stop(server)

    def close(self) -> None:
        """Stop them all."""
        for server in list(self._servers.values()):
            self.stop(server)
