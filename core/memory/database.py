"""One SQLite file, many threads: who may write when, and what the disk says in words.

One connection writes, behind a lock of this process, so that a writer waits its turn instead of asking SQLite again and
again; readers take connections of their own, which write-ahead logging never makes wait, so a page is drawn while a
large commit reaches the disk. Writes begin with BEGIN IMMEDIATE: a transaction that reads first and writes later fails
at once, whatever its timeout, when another process wrote in between.
"""

import fcntl
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from core.domain.errors import OverLimit, Refused, Unavailable
from core.memory.migrations import BUSY_SECONDS, ON_HOLD, connect, prepare

OWN_SECONDS = 2.0
PRIVATE = 0o600
BACKUP = "Stop the server, and put portolan.db back from a backup; the stored files are kept until then."
WRITABLE = "Let the user who runs the server write into PORTOLAN_HOME, or set it to another folder."
BROKEN = {
    sqlite3.SQLITE_NOTADB: ("The file portolan.db is no database: its beginning was overwritten.", BACKUP),
    sqlite3.SQLITE_CORRUPT: ("The database portolan.db is damaged.", BACKUP),
    sqlite3.SQLITE_READONLY: ("The database portolan.db cannot be written.", WRITABLE),
    sqlite3.SQLITE_CANTOPEN: ("The database portolan.db cannot be opened.", WRITABLE),
    sqlite3.SQLITE_PERM: ("The database portolan.db may not be opened.", WRITABLE),
    sqlite3.SQLITE_IOERR: (
        "The disk of the database portolan.db reports errors.",
        "Check the disk, and put a backup back where it is damaged.",
    ),
}
"""What SQLite says of its file, by its code: the cause and the next step."""


class Database:
    """The tables in one file, brought up to date when it is opened; safe for many threads, and for other processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()
        self._turn_of: int | None = None
        self._idle: list[Any] = []
        self._owned: BinaryIO | None = None
        with in_words(), path.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for file in (path, *path.parent.glob(f"{path.name}-*")):
                file.touch(PRIVATE)
                file.chmod(PRIVATE)
            self._writer = connect(path)
            prepare(self._writer)

    def own(self) -> None:
        """Be the one server of this file until ``close``. Raises Unavailable when another one is at work.

        A child that a dead server had forked but not yet turned into its program holds the lock for a moment more.
        """
        if self._owned is not None:
            return
        lock = self.path.with_suffix(".server").open("ab")
        deadline = time.monotonic() + OWN_SECONDS
        while not _locked(lock):
            if time.monotonic() > deadline:
                lock.close()
                raise Unavailable(
                    "Another Portolan server is using this folder.",
                    "Stop it, or set PORTOLAN_HOME to another folder.",
                )
            time.sleep(0.05)
        self._owned = lock

    def close(self) -> None:
        """Close every connection that is not in use, and let another server have the file."""
        with self._turn:
            self._writer.close()
        while self._idle:
            self._idle.pop().close()
        if self._owned is not None:
            self._owned.close()
            self._owned = None

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """Write all or nothing; inside another transaction of the same thread, become part of it. Raises OverLimit on a full disk."""
        if self._turn_of == threading.get_ident():
            yield self._writer
            return
        with self._turn, in_words():
            self._writer.conn.execute("BEGIN IMMEDIATE")
            self._turn_of = threading.get_ident()
            try:
                yield self._writer
                self._writer.conn.execute("COMMIT")
            finally:
                self._turn_of = None
                if self._writer.conn.in_transaction:
                    self._writer.conn.execute("ROLLBACK")

    def empty_log(self) -> None:
        """Bring all that was written into the file itself, and leave nothing in the log beside it."""
        with self._turn, in_words():
            self._writer.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """Read what is committed, on a connection of the reader's own; inside a transaction, read what it wrote."""
        if self._turn_of == threading.get_ident():
            yield self._writer
            return
        with in_words():
            try:
                db = self._idle.pop()
            except IndexError:
                db = connect(self.path)
            try:
                yield db
            finally:
                self._idle.append(db)


def _locked(file: BinaryIO) -> bool:
    """Lock a file for this process until it is closed, and say whether that was possible."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def in_words() -> Iterator[None]:
    """Turn what SQLite says about its file, the disk and its locks into sentences."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if str(error) == ON_HOLD:
            raise Refused("This is on hold and cannot be deleted.", "An administrator can lift the hold.") from error
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in BROKEN:
            raise Unavailable(*BROKEN[code]) from error
        if code == sqlite3.SQLITE_FULL:
            raise OverLimit(
                "The disk of this server is full, so nothing more can be saved.",
                "Ask for more room on this server.",
            ) from error
        if code == sqlite3.SQLITE_BUSY:
            raise Unavailable(
                f"Another program kept the database busy for {BUSY_SECONDS:.0f} seconds.", "Try again."
            ) from error
        raise
