"""Which blobs rows name, and that they stay while somebody reads what the rows say."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RETRY_SECONDS = 7 * 24 * 3600.0
"""How long the files of a job that ended without a result are kept, so that it can be run again."""

LASTING = """
    SELECT sha256 FROM artifact UNION SELECT sha256 FROM dataset UNION SELECT sha256 FROM share
    UNION SELECT sha256 FROM mention WHERE report IS NOT NULL"""
KEPT = f"""{LASTING} UNION SELECT sha256 FROM mention JOIN job ON job.id = mention.job
    WHERE state IN ('queued', 'running') OR (state <> 'done' AND finished > ?) OR job IN (SELECT id FROM held_job)"""  # noqa: S608 -- a constant


def lasting(db: Any) -> set[str]:
    """Return the SHA-256 of what a row names for good: without it, a model, a data set, a page or a report is broken."""
    return {row["sha256"] for row in db.query(LASTING)}


def kept(db: Any) -> set[str]:
    """Return these, and the files of jobs that are open, can be run again, or are on hold, which may be gone."""
    return {row["sha256"] for row in db.query(KEPT, [time.time() - RETRY_SECONDS])}


@contextmanager
def staying(home: Path) -> Iterator[None]:
    """Let no server sweep the home's blobs meanwhile; a sweep that has begun is waited for."""
    with _lock(home) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def sweeping(home: Path) -> Iterator[bool]:
    """Say whether a sweep may begin: not while blobs must stay."""
    with _lock(home) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def _lock(home: Path) -> Iterator[int]:
    with (home / "portolan.sweep").open("ab") as file:
        yield file.fileno()
