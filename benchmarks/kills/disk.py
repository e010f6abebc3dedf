"""A small disk of its own that can run full for real."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIZE_MB = 1600
"""The gigabyte that a server keeps free, and room for its files."""


@dataclass(frozen=True)
class Disk:
    """A mounted file system, by its kind; "none" is a folder of the common disk, which is never filled."""

    folder: Path
    kind: str

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"

    def fill(self, left: int) -> None:
        """Leave so many bytes to whoever writes next."""
        if self.kind == "none":
            return
        free = os.statvfs(self.folder)
        with self._filler.open("wb") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize - left))

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """Mount an ext4 in a file or, where that is not permitted, a tmpfs; where neither is, use the folder as it is."""
    place, image = folder / "disk", folder / "disk.img"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(SIZE_MB << 20)
    ways = {
        "ext4": [["mkfs.ext4", "-q", "-m", "0", str(image)], ["mount", "-o", "loop", str(image), str(place)]],
        "tmpfs": [["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(place)]],
    }
    kind = next((name for name, commands in ways.items() if all(map(_done, commands))), "none")
    try:
        yield Disk(place, kind)
    finally:
        if kind != "none":
            _done(["umount", str(place)]) or _done(["umount", "-l", str(place)])


def _done(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False
