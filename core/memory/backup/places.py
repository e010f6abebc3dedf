"""Where a backup lies: a folder, or one zip whose packed-out form is that folder; bytes go in and out piece by piece."""

import errno
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Protocol

from core.domain.errors import OverLimit, Refused, first_line
from core.memory.blobs import CHUNK, synchronise


class Place(Protocol):
    """Named files, each written once."""

    def open(self, name: str) -> IO[bytes]:
        """Open a file to be read. Raises KeyError for one that is not there."""

    def create(self, name: str) -> IO[bytes]:
        """Open a new file to be written."""


class Folder:
    """A backup as a folder of files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, name: str) -> IO[bytes]:
        """Open a file to be read. Raises KeyError for one that is not there."""
        try:
            return (self.root / name).open("rb")
        except FileNotFoundError:
            raise KeyError(name) from None

    def create(self, name: str) -> IO[bytes]:
        """Open a new file to be written."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")


class Zip:
    """A backup as one file, not compressed: weights hardly shrink, and a damaged place spoils one file only."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def open(self, name: str) -> IO[bytes]:
        """Open a file to be read. Raises KeyError for one that is not there."""
        return self.archive.open(name)

    def create(self, name: str) -> IO[bytes]:
        """Open a new file to be written, of any size."""
        return self.archive.open(name, "w", force_zip64=True)


@contextmanager
def reading(path: Path) -> Iterator[Place]:
    """Open a backup. Raises Refused for what is none, or none any more."""
    if path.is_dir():
        yield Folder(path)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            yield Zip(archive)
    except FileNotFoundError:
        raise Refused(f"There is no backup at {path}.", "Check the path.") from None
    except zipfile.BadZipFile as error:
        raise Refused(f"{path} is no whole backup: {first_line(error)}.", "Use another backup.") from None


@contextmanager
def writing(path: Path, check: Callable[[Path], object]) -> Iterator[Place]:
    """Write a backup under a name of its own, and give it ``path`` when the block ends well, all of it is on the disk, and ``check`` raises nothing.

    A path that ends in ``.zip`` is a file, any other a folder. Raises Refused where there is something already, OverLimit on a full disk.
    """
    if path.exists():
        raise Refused(f"There is something at {path} already.", "Choose a new name for each backup.")
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        if path.suffix == ".zip":
            with part.open("xb") as file, zipfile.ZipFile(file, "w") as archive:
                part.chmod(0o600)
                yield Zip(archive)
        else:
            part.mkdir(mode=0o700)
            yield Folder(part)
        _synchronise_all(part)
        check(part)
        part.rename(path)
        synchronise(path.absolute().parent)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise OverLimit(
            f"The disk of {path} takes no more; nothing was kept there.", "Choose a larger disk."
        ) from error
    finally:
        _remove(part)


def copy(source: IO[bytes], into: IO[bytes]) -> tuple[str, int]:
    """Copy a file, and return the SHA-256 and the number of its bytes."""
    digest, size = sha256(), 0
    while piece := source.read(CHUNK):
        digest.update(piece)
        into.write(piece)
        size += len(piece)
    return digest.hexdigest(), size


def _synchronise_all(path: Path) -> None:
    """Have a file, or a folder with all in it, reach the disk."""
    for one in (path, *path.rglob("*")):
        synchronise(one)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
