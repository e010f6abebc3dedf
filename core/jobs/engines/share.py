"""The place that all machines of a cluster reach, where blobs lie by their SHA-256 while jobs need them.

It is a folder or a bucket (any URL of fsspec), and never the store: what is taken from it is hashed on the way in, and
what nobody offered for a week is removed.
"""

import json
import os
import re
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.domain.errors import NotFound, Refused, Unavailable, first_line
from core.domain.references import NAME
from core.memory.blobs import CHUNK, Blobs

NAMED = re.compile(rf"\b{NAME.pattern}\b")
FRESH = timedelta(days=1)
"""A blob that was offered this long ago is offered again, so that it does not grow old under a job."""
OLD = timedelta(days=7)


def named(value: Any) -> set[str]:
    """Return every SHA-256 in a JSON value; some may name no blob."""
    return set(NAMED.findall(json.dumps(value)))


class Share:
    """A folder of blobs by URL: ``file:///shared/folder``, ``s3://bucket/folder``. Raises Unavailable when it cannot be opened."""

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        self.url = url
        try:
            self._files, root = url_to_fs(url)
            self._root = root.rstrip("/")
            self._files.makedirs(self._root, exist_ok=True)
        except (
            Exception
        ) as error:  # each kind of place has errors of its own: no driver, no such scheme, no credentials
            raise self._closed(error) from error

    def offer(self, blobs: Blobs, sha256: str) -> None:
        """Have the blob lie here whole; one that was offered today is left as it is. Raises NotFound, Unavailable."""
        source, part = blobs.path(sha256), f"{self._root}/{secrets.token_hex(16)}.part"
        try:
            if not self._lies(sha256, source.stat().st_size):
                self._files.put_file(str(source), part)
                self._files.mv(part, self._place(sha256))
        except OSError as error:
            raise self._closed(error) from error

    def take(self, blobs: Blobs, sha256: str) -> None:
        """Copy the blob into a store or a job that lacks it. Raises NotFound, Unavailable, or Refused when the bytes are others."""
        place = self._place(sha256)
        if blobs.has(sha256):
            os.utime(blobs.place(sha256))
            return
        try:
            with self._files.open(place, "rb") as file, blobs.writer() as writer:
                while chunk := file.read(CHUNK):
                    writer.write(chunk)
                blob = writer.commit()
        except FileNotFoundError:
            raise NotFound(f"A file of this job is no longer in {self.url}.", "Run the job again.") from None
        except OSError as error:
            raise self._closed(error) from error
        if blob.sha256 != sha256:
            self._drop(sha256)
            raise Refused(
                f"A file in {self.url} was damaged: its bytes do not match its SHA-256. It was removed.",
                "Run the job again to replace it; if this happens often, find out who else writes there.",
            )

    def sweep(self) -> int:
        """Remove what was not offered for a week, and return how many files. Raises Unavailable."""
        before = datetime.now(UTC) - OLD
        try:
            return sum(self._removed(path, before) for path in self._files.find(self._root))
        except OSError as error:
            raise self._closed(error) from error

    def _removed(self, path: str, before: datetime) -> bool:
        """Remove a file that is older, and say so; another server may have been faster."""
        with suppress(FileNotFoundError):
            if self._files.modified(path) < before:
                self._files.rm_file(path)
                return True
        return False

    def _drop(self, sha256: str) -> None:
        with suppress(OSError):
            self._files.rm_file(self._place(sha256))

    def _place(self, sha256: str) -> str:
        if not NAME.fullmatch(sha256):
            raise NotFound("There is no such file.", "Run the job again.")
        return f"{self._root}/{sha256}"

    def _lies(self, sha256: str, size: int) -> bool:
        place = self._place(sha256)
        self._files.invalidate_cache()
        if not self._files.exists(place) or self._files.size(place) != size:
            return False
        return bool(datetime.now(UTC) - self._files.modified(place) < FRESH)

    def _closed(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"The shared place for blobs, {self.url}, cannot be used: {first_line(error)}.",
            "Set PORTOLAN_BLOBS to a folder or bucket that the server and every worker can read and write.",
        )


class Shared(Blobs):
    """The blobs of a worker: one that is not there yet is taken from the share when it is asked for."""

    share: Share

    def path(self, sha256: str) -> Path:
        """Return where the blob lies, to be read only. Raises what ``Share.take`` raises."""
        if not self.has(sha256):
            self.share.take(self, sha256)
        return super().path(sha256)

    def touch(self, sha256: str) -> None:
        """Have the blob here, and make it young. Raises what ``Share.take`` raises."""
        self.path(sha256)
        super().touch(sha256)
