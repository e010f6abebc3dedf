"""The place that all machines of a cluster reach, where blobs lie by their SHA-256 while jobs need them.

It is never the store, which has a folder of its own in it (core/memory/cached_blobs.py): what nobody offered for a week
is removed.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.domain.references import NAME
from core.memory.blobs import Blobs
from core.memory.bucket import Bucket

NAMED = re.compile(rf"\b{NAME.pattern}\b")
FRESH = timedelta(days=1)
"""A blob that was offered this long ago is offered again, so that it does not grow old under a job."""
OLD = timedelta(days=7)


def named(value: Any) -> set[str]:
    """Return every SHA-256 in a JSON value; some may name no blob."""
    return set(NAMED.findall(json.dumps(value)))


class Share(Bucket):
    """A bucket whose blobs are offered for a while."""

    def offer(self, blobs: Blobs, sha256: str) -> None:
        """Have the blob lie here whole; one that was offered today is left as it is. Raises NotFound, Unavailable."""
        source = blobs.path(sha256)
        if not self._fresh(sha256, source.stat().st_size):
            self.bring(source, sha256)

    def take(self, blobs: Blobs, sha256: str) -> None:
        """Copy the blob into a store or a job that lacks it. Raises NotFound, Unavailable, or Refused when the bytes are others."""
        if blobs.has(sha256):
            blobs.touch(sha256)
        else:
            self.fetch(blobs, sha256)

    def sweep(self) -> int:
        """Remove what was not offered for a week, and return how many files. Raises Unavailable."""
        before = datetime.now(UTC) - OLD
        old = [name for name, came in self.files().items() if came < before]
        for name in old:
            self.drop(name)
        return len(old)

    def _fresh(self, sha256: str, size: int) -> bool:
        return self.size(sha256) == size and datetime.now(UTC) - self.came(sha256) < FRESH


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
