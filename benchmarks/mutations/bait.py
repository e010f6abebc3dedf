"""What lies outside every child's folder to be stolen, written, called or started, and what becomes of it."""

import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path

import psutil

OURS = ("core.doors.worker", "app.py")
"""Words in the command of every process that may live: children, their templates, the server."""


@dataclass
class Bait:
    """A secret to read, a path to write, a port to call; changed files name all three."""

    folder: Path
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        self.secret.write_text(self.token)
        self._before = self.secret.stat()
        self._ear = socket.create_server(("127.0.0.1", 0))
        self._ear.setblocking(False)

    @property
    def secret(self) -> Path:
        """A file that nothing but this process may read."""
        return self.folder / "secret"

    @property
    def written(self) -> Path:
        """A file that may never be there."""
        return self.folder / "canary"

    @property
    def url(self) -> str:
        """An address that nobody may call."""
        return f"http://127.0.0.1:{self._ear.getsockname()[1]}/canary"

    def touched(self, heard: str) -> list[str]:
        """Return what was done to the bait, where ``heard`` is all that came out of a child; empty when nothing was."""
        found = []
        if self.token in heard:
            found.append("the secret was read")
        now = self.secret.stat()
        if self.secret.read_text() != self.token or now.st_mtime_ns != self._before.st_mtime_ns:
            found.append("the secret was changed")
        if sorted(path.name for path in self.folder.iterdir()) != ["secret"]:
            found.append("a file was made outside")
        try:
            self._ear.accept()[0].close()
            found.append("the network was reached")
        except BlockingIOError:
            pass
        return found + [f"a process was left: {name}" for name in strangers()]

    def close(self) -> None:
        """Stop listening."""
        self._ear.close()


def strangers() -> list[str]:
    """Return the commands of processes below this one that no part of ours started."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline())
        except psutil.Error:
            continue
        if command and not any(word in command for word in OURS):
            found.append(command[:200])
    return found
