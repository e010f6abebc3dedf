"""The folders in which children work: made fresh, measured and cleared without trusting what lies in them."""

import contextlib
import itertools
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from core.domain.errors import Crashed
from core.domain.limits import MB

CHUNK = 8 * MB
FILES = 20_000
"""More than any task of ours writes."""


def claim(root: Path) -> Path:
    """Make this process's own folder under ``root``, and remove those of processes that are gone."""
    root.mkdir(parents=True, exist_ok=True)
    for folder in root.iterdir():
        if not _owner_lives(folder.name):
            remove(folder)
    return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-{_born(os.getpid())}-", dir=root))


def _owner_lives(name: str) -> bool:
    pid, _, rest = name.partition("-")
    with contextlib.suppress(ValueError, psutil.Error):
        return _born(int(pid)) == int(rest.partition("-")[0])
    return False


def _born(pid: int) -> int:
    return int(psutil.Process(pid).create_time() * 100)


def fresh(parent: Path) -> Path:
    """Make a folder with ``in``, ``out`` and ``tmp`` that only this user can enter."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    for part in ("in", "out", "tmp"):
        (folder / part).mkdir(mode=0o700)
    return folder


def copy(source: Path, target: Path, check: Callable[[], None]) -> None:
    """Copy the bytes of a file in pieces, with a ``check`` before each that may raise."""
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(CHUNK):
            check()
            writer.write(chunk)


def used_mb(folder: Path) -> float:
    """Return the megabytes that a child's ``out`` and ``tmp`` hold, holes in files counted as what they read as; infinite for more files or depth than honest work makes."""
    total, count, folders = 0, 0, [folder / "out", folder / "tmp"]
    try:
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    total += max(found.st_blocks * 512, found.st_size)
                    count += 1
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    if count > FILES:
                        return float("inf")
    except FileNotFoundError:  # the child removed something under our eyes
        return total / MB
    except OSError:
        return float("inf")
    return total / MB


def only_plain_files(out: Path) -> None:
    """Raise Crashed when a child left anything but plain files of its own, such as a link to somebody else's."""
    with os.scandir(out) as entries:
        for entry in itertools.islice(entries, FILES):
            found = entry.stat(follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise Crashed(
                    "The child process left something that is not a plain file.", "Treat this file as hostile."
                )


def remove(folder: Path) -> None:
    """Remove a folder and all in it, however deep: what lies below is first moved up, so that no path grows."""
    numbers = itertools.count()
    with contextlib.suppress(FileNotFoundError):
        while below := [entry for entry in os.scandir(folder) if not _unlinked(entry)]:
            for entry in below:
                Path(entry.path).chmod(0o700)
                for inner in os.scandir(entry.path):
                    Path(inner.path).rename(folder / f".{next(numbers)}-{os.urandom(8).hex()}")
                Path(entry.path).rmdir()
        folder.rmdir()


def _unlinked(entry: "os.DirEntry[str]") -> bool:
    if entry.is_dir(follow_symlinks=False):
        return False
    Path(entry.path).unlink(missing_ok=True)
    return True
