"""Reports that visitors show to others: a row for each, until its owner takes it back."""

import secrets
import time

from core.domain.errors import NotFound
from core.domain.share import Share
from core.rows import plain_name
from core.store import Store

GONE = NotFound("There is nothing to see here any more.", "Ask whoever sent the link for a new one.")


def add(store: Store, visitor: str, artifact: str, sha256: str, title: str) -> Share:
    """Show a stored page under a name of 128 random bits. Raises NotFound for an artifact that is not the visitor's."""
    share = Share(secrets.token_hex(16), artifact, sha256, plain_name(title), time.time())
    store.blobs.touch(sha256)
    with store.transaction() as db:
        store.artifact(visitor, artifact)
        db["share"].insert({**vars(share), "visitor": visitor})
    return share


def mine(store: Store, visitor: str, artifact: str) -> list[Share]:
    """Return what a visitor shows of an artifact, newest first."""
    sql = "SELECT * FROM share WHERE visitor = ? AND artifact = ? ORDER BY created DESC, rowid DESC"
    with store.database.reading() as db:
        return [_read(row) for row in db.query(sql, [visitor, artifact])]


def find(store: Store, id: str) -> Share:
    """Return what is shown under a name, to anybody. Raises NotFound."""
    with store.database.reading() as db:
        for row in db.query("SELECT * FROM share WHERE id = ?", [id]):
            return _read(row)
    raise NotFound(GONE.message, GONE.next_step)


def take_back(store: Store, visitor: str, id: str) -> None:
    """Stop showing a page. Raises NotFound."""
    with store.transaction() as db:
        if db.execute("DELETE FROM share WHERE id = ? AND visitor = ?", [id, visitor]).rowcount == 0:
            raise NotFound(GONE.message, GONE.next_step)


def _read(row: dict[str, object]) -> Share:
    return Share(**{key: value for key, value in row.items() if key != "visitor"})  # type: ignore[arg-type]
