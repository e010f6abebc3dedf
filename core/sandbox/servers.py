"""Servers of packages on loopback, each a jailed process of its own."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.border import archives
from core.domain.errors import NotFound, OverLimit, Refused
from core.sandbox.aliases import Alias
from core.sandbox.watched import Watched

MOST = 4
"""Servers at the same time; each holds a model in memory."""
SIGNATURE_BYTES = 1 << 20


class Server(Watched):
    """One package that is served, and for whom."""

    module = "core.doors.served"

    package: str = ""
    """The SHA-256 of the package, where it is a visitor's."""

    model: str = ""
    """The artifact that the package was made from, where it is a visitor's."""

    def __init__(self, owner: str, title: str, package: Path, folder: Path, settings: dict[str, str]) -> None:
        super().__init__(owner, title, folder, settings)
        try:
            unpacked(package, self.unpacked)
        except BaseException:
            self._leave()
            raise
        self.begin()

    @property
    def signature(self) -> dict[str, Any]:
        """The package's own words on its model, its inputs and outputs. Raises Refused for what is no package of ours."""
        try:
            file = self.unpacked / "signature.json"
            found: Any = json.loads(file.read_text()) if file.stat().st_size <= SIGNATURE_BYTES else None
            if isinstance(found["model"], str):
                return dict(found)
        except (OSError, ValueError, RecursionError, KeyError, TypeError):
            pass
        raise Refused("This is no package that can be served.", "Write one with `python -m core migrate`.")

    @property
    def name(self) -> str:
        """The model that it answers for, in its addresses. Raises Refused."""
        return str(self.signature["model"])

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
        self._beginning = 0
        """Servers whose packages are being unpacked; the lock is not held meanwhile."""

        self._aliases: dict[str, Alias] = {}

    def begin(self, owner: str, title: str, package: Path, full: bool, settings: dict[str, str]) -> Server:
        """Serve a package. Raises Refused where the jail is not full, OverLimit where too many are served."""
        if not full:
            raise Refused(
                "This machine cannot lock a server in, so none is started here.",
                "Unpack the package and run `python server.py`.",
            )
        with self._lock:
            if len(self._servers) + self._beginning >= MOST:
                raise OverLimit(f"{MOST} servers run, as many as may.", "Stop one of them.")
            self._beginning += 1
        try:
            server = Server(owner, title, package, self._folder, settings)
            self._servers[server.id] = server
            return server
        finally:
            with self._lock:
                self._beginning -= 1

    def of(self, owner: str) -> list[Server]:
        """Return the servers of a visitor, the newest first."""
        return [one for one in reversed(list(self._servers.values())) if one.owner == owner]

    def named(self, owner: str, id: str) -> Server:
        """Return one server of a visitor. Raises NotFound."""
        found = self._servers.get(id)
        if found is None or found.owner != owner:
            raise NotFound("There is no such server any more.", "Start it again.")
        return found

    def alias(self, owner: str, champion: Server) -> Alias:
        """Return the alias of a visitor's in front of a server, made where there is none. Only where ``begin`` served something."""
        with self._lock:
            for one in self._aliases.values():
                if one.owner == owner and champion in (one.champion, one.challenger, one.former):
                    return one
            made = Alias(owner, champion, self._folder)
            self._aliases[made.id] = made
            return made

    def aliases(self, owner: str) -> list[Alias]:
        """Return the aliases of a visitor, the newest first."""
        return [one for one in reversed(list(self._aliases.values())) if one.owner == owner]

    def fronted(self, owner: str, id: str) -> Alias:
        """Return one alias of a visitor. Raises NotFound."""
        found = self._aliases.get(id)
        if found is None or found.owner != owner:
            raise NotFound("There is no such address any more.", "Try a server beside another one again.")
        return found

    def known(self, id: str) -> Server:
        """Return a server by its id, which nobody guesses. Raises NotFound."""
        if (found := self._servers.get(id)) is None:
            raise NotFound("There is no such server any more.", "Start it again.")
        return found

    def stop(self, server: Server) -> None:
        """Stop one server, after what stands in front of it let it go."""
        for alias in list(self._aliases.values()):
            if server in (alias.champion, alias.challenger, alias.former) and not alias.release(server):
                self.end(alias)
        with self._lock:
            self._servers.pop(server.id, None)
        server.stop()

    def end(self, alias: Alias) -> None:
        """Give up an address; the servers behind it run on."""
        with self._lock:
            self._aliases.pop(alias.id, None)
        alias.stop()

    def sift(self, has: Callable[[str, str], bool]) -> None:
        """Stop those whose owner has the model no more; ``has`` is asked with owner and artifact."""
        for server in list(self._servers.values()):
            if server.model and not has(server.owner, server.model):
                self.stop(server)

    def close(self) -> None:
        """Stop them all."""
        for alias in list(self._aliases.values()):
            self.end(alias)
        for server in list(self._servers.values()):
            self.stop(server)
