"""One hostile file: what it attacks, and how it is made from honest ones."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

Honest = dict[str, Path]
Make = Callable[[Honest], bytes]


@dataclass(frozen=True)
class Attack:
    """A file for a format ("data" for data sets), by a name, uploaded as ``file``; ``harmless`` ones are taken, all others refused in words."""

    format: str
    name: str
    file: str
    make: Make
    harmless: bool = False

    def __str__(self) -> str:
        return f"{self.format}: {self.name}"


def written(write: Callable[[Path], object], suffix: str = "") -> Make:
    """Return the bytes of what a function writes to a path."""

    def make(honest: Honest) -> bytes:
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"m{suffix}"
            write(path)
            return path.read_bytes()

    return make


def rewritten(write: Callable[[Path, Path], object], source: str) -> Make:
    """Return the bytes of what a function writes from an honest file."""
    return lambda honest: written(lambda out: write(honest[source], out), Path(source).suffix)(honest)
