"""Servers of packages on loopback, each a jailed process of its own."""

import threading
from collections.abc import Callable
from pathlib import Path

from core.border import archives
from core.domain.errors import NotFound, OverLimit, Refused
from core.sandbox.watched import Watched

MOST = 4
"""Servers at the same time; each holds a model in memory."""


class Server(Watched):
    """One package that is served, and for whom."""

    module = "core.doors.served"

    package: str = ""
    """The SHA-256 of the package, where it is a visitor's."""

    model: str = ""
    """The artifact that the package was made from, where it is a visitor's."""

    def __init__(self, owner: str, title: str, package: Path, folder: Path, settings: dict[str, str]) -> None:
        super().__init__(owner, title, folder, settings)
        unpacked(package, self.unpacked)
        self.begin()

    @property
    def unpacked(self) -> Path:
        """The folder with the files of the package, which the process cannot write."""
        return self.folder / "in"


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
