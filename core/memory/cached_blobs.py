"""The blobs of a server whose files are kept elsewhere: what a row names lies in a bucket, and the home's folder is a cache that may be emptied.

A blob is whole in the bucket before ``commit`` returns, so before a row names it. One that the folder lacks is fetched
when it is asked for, and its bytes are compared with its hash. One bucket belongs to one database, and nothing is removed
from the bucket of another.
"""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from core.domain.errors import Refused
from core.domain.references import NAME
from core.memory.blobs import HOUR, Blobs
from core.memory.bucket import Bucket

OWNER = "database"
STALE = timedelta(days=1)
"""A file that is still being written after so long never will be whole."""


class CachedBlobs(Blobs):
    """The blobs of a bucket, each in a folder of this machine too once it was written or asked for; the quota counts the folder."""

    def __init__(self, root: Path, bucket: Bucket, quota_bytes: int | None = None) -> None:
        super().__init__(root, quota_bytes=quota_bytes)
        self.bucket, self._deciding, self._owner = bucket, threading.Lock(), ""

    def claim(self, database: str) -> None:
        """Let the bucket be that of a database. Raises Refused where it is another's, Unavailable."""
        owner = self.bucket.text(OWNER)
        if owner is None and not any(map(NAME.fullmatch, self.bucket.files())):
            self.bucket.write(OWNER, database)
            owner = database
        if owner != database:
            raise Refused(
                f"The files in {self.bucket.url} belong to another database than the one of this home.",
                "Put portolan.db back from a backup if it was lost or replaced, or set PORTOLAN_BLOBS to another folder.",
            )
        self._owner = database

    def path(self, sha256: str) -> Path:
        """Return where the blob lies, to be read only. Raises what ``Bucket.fetch`` raises."""
        if not super().has(sha256):
            self.bucket.fetch(self, sha256)
        return super().path(sha256)

    def has(self, sha256: str) -> bool:
        """Say whether the blob can be had. Raises Unavailable."""
        return super().has(sha256) or (NAME.fullmatch(sha256) is not None and self.bucket.size(sha256) is not None)

    def reading(self, sha256: str) -> BinaryIO:
        """Open the blob where it lies, its bytes not looked at yet. Raises NotFound, Unavailable."""
        return super().reading(sha256) if super().has(sha256) else self.bucket.reading(sha256)

    def touch(self, sha256: str) -> None:
        """Make the blob young here and there, and have it here. Raises what ``path`` raises."""
        self.written(sha256)
        super().touch(sha256)

    def whole(self, sha256: str) -> None:
        """Bring a blob that was stored here to the bucket too, unless it is there. Raises Unavailable."""
        with self._deciding:  # either a sweep sees that it is young, or it is missed here
            lies = self.bucket.size(sha256) == self.place(sha256).stat().st_size
        if not lies:
            self.bucket.bring(self.place(sha256), sha256)

    def sweep(self, keep: set[str], age: float = HOUR) -> int:
        """Remove here and there what is not in ``keep`` and old, and bring what is here alone. Raises Refused for another's bucket, Unavailable."""
        if not self._owner or self.bucket.text(OWNER) != self._owner:
            raise Refused(f"{self.bucket.url} is not this server's, so nothing is removed.", "Restart the server.")
        freed, now, files = super().sweep(keep, age), datetime.now(UTC), self.bucket.files()
        for name, came in files.items():
            if NAME.fullmatch(name) and name not in keep and now - came > timedelta(seconds=age):
                freed += self._removed(name)
            elif name.endswith(".part") and now - came > STALE:
                self.bucket.drop(name)
        for name in keep - files.keys():
            if super().has(name):
                self.bucket.bring(self.place(name), name)
        return freed

    def discard(self, sha256: str, moment: float) -> None:
        """Remove a blob at once here and there, unless somebody wrote or touched it since. Raises Unavailable."""
        super().discard(sha256, moment)
        self._removed(sha256)

    def _removed(self, sha256: str) -> int:
        """Remove a blob from the bucket unless it is young, and return how many that were."""
        with self._deciding:
            with self.lock:
                if sha256 in self._young:
                    return 0
            self.bucket.drop(sha256)
        return 1


def bucket_of(url: str) -> Bucket:
    """Return the part of the place of ``PORTOLAN_BLOBS`` that holds what rows name; files of jobs travel beside it. Raises Unavailable."""
    return Bucket(url.rstrip("/") + "/blobs")


def stored(root: Path, url: str | None, quota_bytes: int | None = None) -> Blobs:
    """Return the blobs of a home: those in its folder, or, with ``PORTOLAN_BLOBS``, those of that bucket. Raises Unavailable."""
    if url:
        return CachedBlobs(root, bucket_of(url), quota_bytes)
    return Blobs(root, quota_bytes=quota_bytes)
