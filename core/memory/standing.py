"""How the place stands, for whoever watches it: what waits and runs, what jobs did since, and whether the database is whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ENDS = """
    SELECT audit.act, audit.detail AS verb, created, started, finished, json_extract(trouble, '$.kind') AS trouble
    FROM audit LEFT JOIN job ON job.id = audit.subject
    WHERE audit.id > ? AND audit.id <= ? AND audit.act LIKE 'job %' ORDER BY audit.id"""
STANDS = """
    SELECT (SELECT count(*) FROM job WHERE state = 'running') AS running,
        (SELECT count(*) FROM job WHERE state = 'queued') AS queued,
        (SELECT min(created) FROM job WHERE state = 'queued') AS waiting,
        (SELECT at FROM audit WHERE act LIKE 'job %' AND act <> 'job queued' ORDER BY id DESC LIMIT 1) AS moved"""
NEWEST = "SELECT max(created) FROM (SELECT created FROM artifact UNION ALL SELECT created FROM job)"


@dataclass(frozen=True)
class Standing:
    """How many jobs run and wait, since when the oldest waits, and when a job last began or ended, in seconds since 1970."""

    running: int
    queued: int
    waiting: float | None
    moved: float | None


@dataclass(frozen=True)
class Moved:
    """What a job did (``act``, such as "job done"), by its verb; the times are None where they are not known any more."""

    act: str
    verb: str
    created: float | None
    started: float | None
    finished: float | None
    trouble: str | None


def standing(db: Any) -> Standing:
    """Return how the queue stands."""
    return Standing(**next(db.query(STANDS)))


def moved(db: Any, after: int, until: int) -> Iterator[Moved]:
    """Yield what jobs did, between two rows of the audit log."""
    return (Moved(**row) for row in db.query(ENDS, [after, until]))


def newest(db: Any) -> float:
    """Return when the newest model or job was written down, or 0."""
    return float(db.execute(NEWEST).fetchone()[0] or 0.0)


def readable(db: Any) -> None:
    """Read a row. Raises what SQLite does where that cannot be."""
    db.execute("SELECT count(*) FROM identity").fetchone()


def damage(db: Any) -> str:
    """Return the first thing that is wrong with the file, or nothing."""
    problem = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    return "" if problem == "ok" else problem
