"""Which database the stored files belong to, so that a lost or emptied one does not take them with it.

A sweep removes what no row names; beside a database that is new, that is everything. So the database has a random name,
the folder of the blobs keeps it in a file, and nothing is swept while the two differ.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from core.domain.errors import Refused
from core.memory.migrations import BUSY_SECONDS

FILE = "database"
UNKNOWN = "unknown"
"""What stands in the file when blobs were found beside a new database."""


def expect(database: Path, blobs: Path) -> None:
    """Before the database is opened: where it has no tables yet, see whether the blobs had another, and write it down if so."""
    file = blobs / FILE
    if _has_tables(database):
        return
    if not list((blobs / "objects").iterdir()):
        file.unlink(missing_ok=True)
    elif not file.exists():
        _write(file, UNKNOWN)


def pair(db: Any, blobs: Path) -> None:
    """Write the name of the database beside blobs that know of none."""
    file = blobs / FILE
    if not file.exists():
        _write(file, name(db))


def check(db: Any, blobs: Path) -> None:
    """Raise Refused where the blobs belong to another database than this."""
    file = blobs / FILE
    if file.exists() and file.read_text().strip() == name(db):
        return
    raise Refused(
        "Files are stored here that this database does not know, so nothing is removed: its own database was lost, emptied or replaced.",
        f"Stop the server and put portolan.db back from a backup; or, to give those files up, remove {file}.",
    )


def _has_tables(database: Path) -> bool:
    if not database.exists() or not database.stat().st_size:
        return False
    try:
        with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as db:
            return bool(db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'artifact'").fetchone()[0])
    except sqlite3.DatabaseError:  # whoever opens it in earnest says what is wrong
        return True


def name(db: Any) -> str:
    """Return the random name of a database."""
    return str(next(db.query("SELECT name FROM identity"))["name"])


def _write(file: Path, text: str) -> None:
    part = file.with_name(f"{FILE}.part")
    with part.open("w") as written:
        written.write(text)
        written.flush()
        os.fsync(written.fileno())
    part.replace(file)
