"""What the server said that it had, and whether it still has it."""

import threading
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.errors import PortolanError
from core.memory.blobs import Blobs
from core.memory.store import Store

Row = dict[str, Any]


@dataclass
class Ledger:
    """Acknowledged files by their hash, jobs by their id, and the ends of jobs that were told, as ``(state, artifact)``."""

    blobs: set[str] = field(default_factory=set)
    data: set[str] = field(default_factory=set)
    jobs: set[str] = field(default_factory=set)
    ends: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def copy(self) -> "Ledger":
        """Return what was acknowledged up to now."""
        with self.lock:
            return Ledger(set(self.blobs), set(self.data), set(self.jobs), dict(self.ends))

    def lost(self, home: Path) -> list[str]:
        """Return what a home that no server has open does not hold of it, or holds changed; each named blob is read whole."""
        with closing(Store(home, Blobs(home / "blobs", reserve_bytes=0))) as store:
            found = [f"the database: {row}" for row in _damage(store)]
            jobs = {row["id"]: row for row in _rows(store, "SELECT id, state, made FROM job")}
            artifacts = {row["id"] for row in _rows(store, "SELECT id FROM artifact")}
            sets = {row["sha256"] for row in _rows(store, "SELECT sha256 FROM dataset")}
            found += [f"job {id}" for id in self.jobs - jobs.keys()]
            found += [f"data set {sha256}" for sha256 in self.data - sets]
            for id, (state, made) in self.ends.items():
                if id in jobs and (jobs[id]["state"], jobs[id]["made"]) != (state, made):
                    found.append(f"job {id} was {state}, and is {jobs[id]['state']}")
                if made and made not in artifacts:
                    found.append(f"artifact {made}")
            named = {
                row["sha256"]
                for row in _rows(
                    store, "SELECT sha256 FROM artifact UNION SELECT sha256 FROM mention WHERE report IS NOT NULL"
                )
            }
            return found + [f"blob {one}: {why}" for one in named | self.blobs if (why := _damaged(store, one))]


def _rows(store: Store, sql: str) -> list[Row]:
    with store.database.reading() as db:
        return list(db.query(sql))


def _damage(store: Store) -> list[Row]:
    said = _rows(store, "PRAGMA integrity_check")
    return [row for row in said if row != {"integrity_check": "ok"}] + _rows(store, "PRAGMA foreign_key_check")


def _damaged(store: Store, sha256: str) -> str:
    try:
        store.blobs.verify(sha256)
    except PortolanError as error:
        return error.message
    return ""
