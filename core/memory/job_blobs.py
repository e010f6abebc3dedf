"""The blobs as one job may see them: those that it was given and those that it makes, and nobody else's."""

from collections.abc import Iterable
from pathlib import Path

from core.domain.errors import NotFound
from core.memory.blobs import Blobs


class JobBlobs(Blobs):
    """A view of the store's blobs for one job; ``own`` holds the SHA-256 of what belongs to it, and grows with what it writes.

    Whatever a child, a worker or a result names is looked up here, so that a hash alone opens nothing.
    """

    def __init__(self, stored: Blobs, given: Iterable[str]) -> None:
        self._stored, self.own = stored, set(given)
        self.objects, self.temporary, self.lock = stored.objects, stored.temporary, stored.lock
        self.reserve_bytes, self.quota_bytes = stored.reserve_bytes, stored.quota_bytes

    @property
    def used(self) -> int:
        """Bytes that all stored files take, whoever's they are."""
        return self._stored.used

    def take(self, size: int) -> None:
        """Count bytes that a file being written takes."""
        self._stored.take(size)

    def written(self, sha256: str) -> None:
        """Let the job keep what it wrote."""
        self.own.add(sha256)
        self._stored.written(sha256)

    def whole(self, sha256: str) -> None:
        """Pass on that a blob was stored."""
        self._stored.whole(sha256)

    def begun(self, path: Path) -> None:
        """Take note of a file that is being written."""
        self._stored.begun(path)

    def ended(self, path: Path) -> None:
        """Forget a file that is no longer being written."""
        self._stored.ended(path)

    def has(self, sha256: str) -> bool:
        """Say whether the blob is the job's own and can be read."""
        return sha256 in self.own and self._stored.has(sha256)

    def path(self, sha256: str) -> Path:
        """Return where a blob of the job's lies. Raises NotFound for any other, stored or not."""
        if sha256 not in self.own:
            raise NotFound("The file is not one of this job.", "Choose a file of your own, and run it again.")
        return self._stored.path(sha256)

    def touch(self, sha256: str) -> None:
        """Make a blob of the job's young. Raises NotFound for any other."""
        self.path(sha256)
        self._stored.touch(sha256)
