"""Who did what to which file, and when: rows that only grow, most of them written by triggers (core/memory/migrations.py)."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.errors import Refused
from core.memory.database import Database, in_words
from core.memory.migrations import readable


@dataclass(frozen=True)
class Entry:
    """One act: by whom (a visitor's id), on what (a model, data set or job), which file's SHA-256; seconds since 1970."""

    id: int
    at: float
    who: str
    act: str
    subject: str | None = None
    sha256: str | None = None
    detail: str | None = None


def note(database: Database, who: str, act: str, **on: str | None) -> None:
    """Write down an act that changes no row, such as a download; ``on`` is subject, sha256 and detail."""
    with database.transaction() as db:
        db["audit"].insert({"at": time.time(), "who": who, "act": act, **on})


def since(home: Path, begin: float, end: float) -> Iterator[Entry]:
    """Yield what was done from one moment to another, oldest first, beside a server that may run. Raises Refused."""
    if not (home / "portolan.db").is_file():
        raise Refused(f"There is no database in {home}.", "Set PORTOLAN_HOME to the folder of the server.")
    with in_words():
        db = readable(home / "portolan.db")
        try:
            if not db["audit"].exists():
                raise Refused("This database has no audit log yet.", "Start the server once with this version.")
            for row in db.query("SELECT * FROM audit WHERE at >= ? AND at < ? ORDER BY id", [begin, end]):
                yield Entry(**row)
        finally:
            db.close()


def newest(db: Any) -> int:
    """Return the id of the last act, or 0."""
    return int(db.execute("SELECT ifnull(max(id), 0) FROM audit").fetchone()[0])
