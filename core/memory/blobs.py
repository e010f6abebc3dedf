"""Files known by their SHA-256: a name exists only when all of its bytes are on the disk, and nothing is stored twice.

A file is hashed while it is written to a temporary name on the same disk, synchronised, renamed, and its folder is
synchronised too; so a process that dies at any moment leaves the whole file or none. The row that names a blob is
written after the blob (core/store.py), and blobs that no row names are swept once they are an hour old.
"""

import errno
import os
import secrets
import shutil
import stat
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from core.domain.errors import NotFound, OverLimit, Refused
from core.domain.references import NAME

GB = 1024**3
CHUNK = 1024 * 1024
HOUR = 3600.0


@dataclass(frozen=True)
class Blob:
    """A stored file: the SHA-256 of its bytes in hex, and its size in bytes."""

    sha256: str
    size: int


class Blobs:
    """The files under one folder; safe for many threads of one process.

    ``reserve_bytes`` of the disk always stay free, and all files together take at most ``quota_bytes``.
    """

    def __init__(self, root: Path, reserve_bytes: int = GB, quota_bytes: int | None = None) -> None:
        self.objects = root / "objects"
        self.temporary = root / "tmp"
        for folder in (self.objects, self.temporary):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.reserve_bytes = reserve_bytes
        self.quota_bytes = quota_bytes
        self.lock = threading.Lock()
        self._writing: set[Path] = set()
        self._young: dict[str, float] = {}
        self._used = sum(file.stat().st_size for file in _files(self.objects))

    @property
    def used(self) -> int:
        """Bytes that stored files and files being written take."""
        return self._used

    def room(self) -> int:
        """Return how many more bytes fit, by the disk less its reserve and by the quota; never below 0."""
        free = shutil.disk_usage(self.objects).free - self.reserve_bytes
        left = free if self.quota_bytes is None else min(free, self.quota_bytes - self.used)
        return max(0, left)

    def check_room(self, size: int) -> None:
        """Raise OverLimit when ``size`` more bytes do not fit."""
        if (left := self.room()) < size:
            raise _full(size, left)

    def take(self, size: int) -> None:
        """Count bytes that a file being written takes (or, below 0, gives back)."""
        with self.lock:
            self._used += size

    def put(self, source: Path) -> Blob:
        """Copy a plain file in. Raises Refused for a link or a device, OverLimit when it does not fit."""
        with _open_plain(source) as file, self.writer() as writer:
            self.check_room(os.fstat(file.fileno()).st_size)
            while chunk := file.read(CHUNK):
                writer.write(chunk)
            return writer.commit()

    def writer(self) -> "Writer":
        """Open a new file to be written piece by piece; leaving its ``with`` block without a commit forgets it."""
        return Writer(self)

    def path(self, sha256: str) -> Path:
        """Return where the blob lies, to be read only. Raises NotFound."""
        if NAME.fullmatch(sha256) and (path := self.place(sha256)).is_file():
            return path
        raise _gone()

    def has(self, sha256: str) -> bool:
        """Say whether the blob can be read here."""
        return NAME.fullmatch(sha256) is not None and self.place(sha256).is_file()

    def reading(self, sha256: str) -> BinaryIO:
        """Open the blob to be read. Raises NotFound."""
        return self.path(sha256).open("rb")

    def claim(self, database: str) -> None:
        """Take note of the one database whose rows name what is stored here."""

    def whole(self, sha256: str) -> None:
        """Take note of a blob that was stored, before anything may name it."""

    def written(self, sha256: str) -> None:
        """Take note of a blob whose bytes were brought whole, whether they were stored before or not."""
        with self.lock:
            self._young[sha256] = time.monotonic()

    def begun(self, path: Path) -> None:
        """Take note of a file that is being written."""
        self._writing.add(path)

    def ended(self, path: Path) -> None:
        """Forget a file that is no longer being written."""
        self._writing.discard(path)

    def place(self, sha256: str) -> Path:
        """Return where a blob of this hash lies or would lie."""
        return self.objects / sha256[:2] / sha256[2:]

    def touch(self, sha256: str) -> None:
        """Make the blob young, so that a sweep leaves it alone until a row names it. Raises NotFound."""
        place = self.path(sha256)
        with self.lock:
            try:
                os.utime(place)
            except FileNotFoundError:  # a sweep was faster
                raise _gone() from None
            self._young[sha256] = time.monotonic()

    def verify(self, sha256: str) -> Path:
        """Return the blob's place after reading it whole. Raises NotFound, or Refused when the bytes have changed."""
        with self.reading(sha256) as file:
            if file_digest(file, "sha256").hexdigest() == sha256:  # type: ignore[arg-type]
                return self.place(sha256)
        raise Refused("The stored file is damaged: its bytes do not match its SHA-256.", "Upload or convert it again.")

    def sweep(self, keep: set[str], age: float = HOUR) -> int:
        """Remove blobs that are not in ``keep``, and files left half written, older than ``age`` seconds; return how many.

        What this process writes, or wrote or touched within ``age`` seconds of its own clock, stays whatever the wall clock says.
        """
        before = time.time() - age
        with self.lock:
            self._young = {name: at for name, at in self._young.items() if time.monotonic() - at < age}
        unnamed = [file for file in _files(self.objects) if file.parent.name + file.name not in keep]
        stray = sum(self._remove(file, before) is not None for file in _files(self.temporary))
        freed = [size for file in unnamed if (size := self._remove(file, before)) is not None]
        self.take(-sum(freed))
        return stray + len(freed)

    def discard(self, sha256: str, moment: float) -> None:
        """Remove a blob at once, unless somebody wrote or touched it since a moment of this process's own clock."""
        with self.lock:
            if self._young.get(sha256, 0.0) > moment:
                return
            self._young.pop(sha256, None)
        if (size := self._remove(self.place(sha256), time.time() + HOUR)) is not None:
            self.take(-size)

    def _remove(self, path: Path, before: float) -> int | None:
        """Remove one file unless it was touched meanwhile, and return its size."""
        with self.lock, suppress(FileNotFoundError):
            facts = path.stat()
            in_use = path in self._writing or path.parent.name + path.name in self._young
            if facts.st_mtime <= before and not in_use:
                path.unlink()
                return facts.st_size
        return None


class Writer:
    """One file on its way in: bytes go to a temporary name until ``commit`` gives them their own."""

    def __init__(self, blobs: Blobs) -> None:
        self.size = 0
        self._blobs = blobs
        self._hash = sha256()
        self._path = blobs.temporary / f"{secrets.token_hex(16)}.part"
        blobs.begun(self._path)
        self._file = self._path.open("xb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def write(self, chunk: bytes) -> int:
        """Append bytes and return how many. Raises OverLimit when the disk or the quota has no room for them."""
        if (left := self._blobs.room()) < len(chunk):
            raise _full(self.size + len(chunk), self.size + left)
        view = memoryview(chunk)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _full(self.size + len(chunk), self.size) from error
            raise
        self._hash.update(chunk)
        self.size += len(chunk)
        self._blobs.take(len(chunk))
        return len(chunk)

    def flush(self) -> None:
        """Do nothing: no byte waits here (``zipfile`` asks for this)."""

    @property
    def sha256(self) -> str:
        """The hash of what was written so far."""
        return self._hash.hexdigest()

    def commit(self) -> Blob:
        """Give the bytes their name for good, or find that they are stored already."""
        name = self.sha256
        place = self._blobs.place(name)
        self._blobs.written(name)
        if not self._renew(place):
            os.fsync(self._file.fileno())
            self._rename(place)
        self._blobs.whole(name)
        return Blob(name, self.size)

    def abort(self) -> None:
        """Forget what was written; after a commit this does nothing."""
        if not self._file.closed:
            self._path.unlink(missing_ok=True)
            self._file.close()
            self._blobs.ended(self._path)
            self._blobs.take(-self.size)

    def _renew(self, place: Path) -> bool:
        """Make an equal blob young instead of writing it again; one of another length is damaged and gets replaced."""
        with self._blobs.lock:
            try:
                if place.stat().st_size != self.size:
                    return False
                os.utime(place)
            except FileNotFoundError:
                return False
        self.abort()
        return True

    def _rename(self, place: Path) -> None:
        """Move the synchronised file to its place, and synchronise the folders that name it."""
        if not place.parent.exists():
            place.parent.mkdir(exist_ok=True, mode=0o700)
            synchronise(place.parent.parent)
        with self._blobs.lock:
            replaced = place.stat().st_size if place.exists() else 0
            self._path.replace(place)
        self._file.close()
        self._blobs.ended(self._path)
        self._blobs.take(-replaced)
        synchronise(place.parent)


def _gone() -> NotFound:
    return NotFound("The file is no longer stored here.", "Upload it again.")


def _files(folder: Path) -> list[Path]:
    """Return the files in a folder and in the folders inside it."""
    return [Path(place, name) for place, _, names in os.walk(folder) for name in names]


def _open_plain(source: Path) -> BinaryIO:
    """Open a file that a child may have made: a link could lead out of its folder, and a pipe would never end."""
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise Refused("A link is not accepted as a file.", "Add the file itself.") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Refused("Only regular files are accepted.", "Add a file, not a folder, pipe or device.")
    return os.fdopen(handle, "rb")


def synchronise(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _full(size: int, left: int) -> OverLimit:
    return OverLimit(
        f"The disk of this server is full: the file needs at least {_amount(size)}, and {_amount(left)} is free.",
        "Remove models that you no longer need, or ask for more room on this server.",
    )


def _amount(size: int) -> str:
    """Write bytes as people read them: 1.2 GB, 340 MB, 12 KB."""
    for unit, bytes_each in (("GB", GB), ("MB", CHUNK), ("KB", 1024)):
        if size >= bytes_each:
            return f"{size / bytes_each:.1f} {unit}"
    return f"{size} bytes"
