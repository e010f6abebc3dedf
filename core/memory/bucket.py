"""A place outside this machine where blobs lie by their SHA-256: a folder or a bucket, by any URL of fsspec.

What is taken from it is hashed on the way in: whoever else writes there can lose a file, and never change one. Object
stores show a file when it is whole; elsewhere it comes under another name first, and a folder is synchronised.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from core.domain.errors import NotFound, PortolanError, Refused, Unavailable, first_line
from core.domain.references import NAME
from core.memory.blobs import CHUNK, Blobs, synchronise

OBJECTS = frozenset({"s3", "gcs", "abfs"})
"""Protocols of stores in which nothing is ever half written."""

PATIENCE = {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 2}}
"""Seconds and attempts after which an S3 that is down is said to be."""


class Stream(RawIOBase):
    """A file that comes from elsewhere; what breaks on the way is said in words."""

    def __init__(self, file: IO[bytes], words: Callable[[], AbstractContextManager[None]]) -> None:
        self._file, self._words = file, words

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes, and return how many."""
        with self._words():
            return int(self._file.readinto(buffer))  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close it."""
        self._file.close()
        super().close()


class Bucket:
    """Blobs by URL: ``file:///shared/folder``, ``s3://bucket/folder``. Raises Unavailable when it cannot be opened."""

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        self.url = url
        options: dict[str, Any] = {"config_kwargs": PATIENCE} if url.startswith("s3://") else {}
        with self._words():
            self._files, root = url_to_fs(url, **options)
            self._root = root.rstrip("/")
            found = self._files.protocol
            self._protocols = {found} if isinstance(found, str) else set(found)
            self._files.makedirs(self._root, exist_ok=True)

    def bring(self, source: Path, sha256: str) -> None:
        """Have a file lie here under its hash, whole and for good. Raises Unavailable."""
        place, part = self._place(sha256), f"{self._root}/{secrets.token_hex(16)}.part"
        with self._words():
            if OBJECTS.intersection(self._protocols):
                self._files.put_file(str(source), place)
                return
            self._files.put_file(str(source), part)
            self._synchronise(part)
            self._files.mv(part, place)
            self._synchronise(self._root)

    def size(self, sha256: str) -> int | None:
        """Return how many bytes lie here under a hash, or None. Raises Unavailable."""
        with self._words():
            self._files.invalidate_cache()
            try:
                return int(self._files.size(self._place(sha256)))
            except FileNotFoundError:
                return None

    def reading(self, sha256: str) -> BinaryIO:
        """Open a blob to be read, its bytes not looked at yet. Raises NotFound, and Unavailable while it is read too."""
        with self._words():
            try:
                return cast(BinaryIO, Stream(self._files.open(self._place(sha256), "rb"), self._words))
            except FileNotFoundError:
                again = "Run the job again, or upload the file again."
                raise NotFound(f"A file is no longer in {self.url}.", again) from None

    def fetch(self, blobs: Blobs, sha256: str) -> None:
        """Copy a blob to where it is not. Raises NotFound, Unavailable, or Refused when the bytes are others, which are removed."""
        with self.reading(sha256) as file, blobs.writer() as writer:
            while chunk := file.read(CHUNK):
                writer.write(chunk)
            if writer.sha256 == sha256:
                writer.commit()
                return
        self.drop(sha256)
        raise Refused(
            f"A file in {self.url} was damaged: its bytes do not match its SHA-256. It was removed.",
            "Run the job again to replace it; if this happens often, find out who else writes there.",
        )

    def files(self) -> dict[str, datetime]:
        """Return the name of each file that lies here itself, and when it came. Raises Unavailable."""
        with self._words():
            self._files.invalidate_cache()
            found = self._files.find(self._root, maxdepth=1, detail=True)
            return {path.rpartition("/")[2]: self._came(path, facts) for path, facts in found.items()}

    def came(self, sha256: str) -> datetime:
        """Return when a blob came here. Raises NotFound, Unavailable."""
        with self._words():
            found: datetime = self._files.modified(self._place(sha256))
            return found

    def drop(self, name: str) -> None:
        """Remove a file if it is there. Raises Unavailable."""
        with self._words(), suppress(FileNotFoundError):
            self._files.rm_file(f"{self._root}/{name}")

    def text(self, name: str) -> str | None:
        """Return what a small file of another name than a blob's says. Raises Unavailable."""
        with self._words():
            self._files.invalidate_cache()
            try:
                return str(self._files.cat_file(f"{self._root}/{name}").decode().strip())
            except FileNotFoundError:
                return None

    def write(self, name: str, text: str) -> None:
        """Write a small file. Raises Unavailable."""
        with self._words():
            self._files.pipe_file(f"{self._root}/{name}", text.encode())

    def _came(self, path: str, facts: dict[str, Any]) -> datetime:
        if "mtime" in facts:
            return datetime.fromtimestamp(facts["mtime"], UTC)
        found: datetime = facts.get("LastModified") or self._files.modified(path)
        return found

    def _synchronise(self, path: str) -> None:
        """Have a file or folder reach the disk where this machine has it; an object store answers when it has."""
        if "file" in self._protocols:
            synchronise(Path(path))

    def _place(self, sha256: str) -> str:
        if not NAME.fullmatch(sha256):
            raise NotFound("There is no such file.", "Run the job again.")
        return f"{self._root}/{sha256}"

    @contextmanager
    def _words(self) -> Iterator[None]:
        """Say in words what goes wrong: each kind of place has errors of its own (no driver, no such scheme, no credentials)."""
        try:
            yield
        except PortolanError:
            raise
        except Exception as error:
            raise Unavailable(
                f"The shared place for blobs, {self.url}, cannot be used: {first_line(error)}.",
                "See that it is there and can be read and written from here, or correct PORTOLAN_BLOBS; then try again.",
            ) from error
