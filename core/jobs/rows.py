"""The rows of jobs: each change of state is one statement or one transaction, so that two callers never both win."""

import logging
import secrets
import time
from collections.abc import Sequence
from typing import Any

from core.domain.errors import NotFound, Trouble
from core.domain.job import Event, Job, State, Written
from core.domain.stored import read, write
from core.jobs.verb import Verbs
from core.memory.store import Store

log = logging.getLogger(__name__)

EVENTS = 500
"""Lines of log that one job keeps; the oldest go first."""

USUAL = 20
"""Jobs of the recent past by which the time of those that wait is estimated."""

INTERRUPTED = Trouble("interrupted", "The server stopped while this job was running; nothing is lost.", "Run it again.")
WRITTEN = ("key", "args", "result", "trouble")
ANSWERS = "state IN ('queued', 'running', 'done')"


class JobRows:
    """What the store knows of jobs; calls that take a visitor answer NotFound for another visitor's job."""

    def __init__(self, store: Store, verbs: Verbs) -> None:
        self.store, self._verbs = store, verbs

    def add(self, visitor: str, verb: str, title: str, request: object, key: str, starter: str | None = None) -> Job:
        """Write down a queued job, or return the one of the same key that waits, runs or is done."""
        id = secrets.token_hex(10)
        row = {
            "id": id,
            "visitor": visitor,
            "starter": starter,
            "verb": verb,
            "title": title,
            "args": write(request),
            "key": key,
            "state": State.QUEUED.value,
            "created": time.time(),
        }
        with self.store.transaction() as db:
            if (same := self.same(visitor, key)) is not None:
                return same
            db["job"].insert(row)
            log.info("job %s (%s) is queued", id, verb, extra={"fields": {"job": id}})
            self._mention(id, request)
            return self.job(visitor, id)

    def same(self, visitor: str, key: str) -> Job | None:
        """Return the visitor's job of this key that waits, runs or is done, or None."""
        with self.store.database.reading() as db:
            sql = f"SELECT * FROM job WHERE visitor = ? AND key = ? AND {ANSWERS}"  # noqa: S608 -- a constant
            return next((self._job(row) for row in db.query(sql, [visitor, key])), None)

    def _mention(self, id: str, value: object) -> None:
        """Write down the blobs that a job's arguments or result name, each once."""
        with self.store.transaction() as db:
            held = {row["sha256"] for row in db.query("SELECT sha256 FROM mention WHERE job = ?", [id])}
            new = [sha256 for sha256 in self.store.named(value) if sha256 not in held]
            db["mention"].insert_all({"sha256": sha256, "report": None, "job": id} for sha256 in new)

    def known(self, visitor: str, key: str) -> Job | None:
        """Return the visitor's job of this key that is done, or None."""
        same = self.same(visitor, key)
        return same if same is not None and same.state is State.DONE else None

    def answered(
        self, visitor: str, verb: str, title: str, request: object, key: str, result: object, made: str | None
    ) -> Job:
        """Write down a job that another one did on its way: it is done, and had no attempt of its own."""
        with self.store.transaction() as db:
            job = self.add(visitor, verb, title, request, key)
            if job.state is not State.QUEUED:
                return job
            now = time.time()
            done = {"state": State.DONE.value, "attempt": 0, "started": now, "finished": now, "made": made}
            db["job"].update(job.id, {**done, "result": write(result)})
            self._mention(job.id, result)
            return self.job(visitor, job.id)

    def keep(self, id: str, result: object) -> None:
        """Write down the result so far of a running job."""
        with self.store.transaction() as db:
            sql = "UPDATE job SET result = ? WHERE id = ? AND state = 'running'"
            if db.execute(sql, [write(result), id]).rowcount:
                self._mention(id, result)

    def job(self, visitor: str, id: str) -> Job:
        """Return one job. Raises NotFound."""
        with self.store.database.reading() as db:
            for row in db.query("SELECT * FROM job WHERE id = ? AND visitor = ?", [id, visitor]):
                return self._job(row)
        raise NotFound("There is no such job.", "Choose one from the list of jobs.")

    def jobs(self, visitor: str, limit: int = 100) -> list[Job]:
        """Return the visitor's jobs, newest first."""
        sql = "SELECT * FROM job WHERE visitor = ? ORDER BY created DESC, rowid DESC LIMIT ?"
        with self.store.database.reading() as db:
            return [self._job(row) for row in db.query(sql, [visitor, limit])]

    def events(self, visitor: str, id: str) -> list[Event]:
        """Return the lines of a job's log, oldest first."""
        sql = "SELECT at, text FROM event WHERE job = ? ORDER BY id"
        with self.store.database.reading() as db:
            return [Event(row["at"], row["text"]) for row in db.query(sql, [self.job(visitor, id).id])]

    def waiting(self) -> list[tuple[str, str, str]]:
        """Return for whom they count, id and verb of all queued jobs, oldest first."""
        sql = "SELECT ifnull(starter, visitor) AS account, id, verb FROM job WHERE state = 'queued' ORDER BY created, rowid"
        with self.store.database.reading() as db:
            return [(row["account"], row["id"], row["verb"]) for row in db.query(sql)]

    def usual_seconds(self) -> float | None:
        """Return how long the jobs that were done last took on average; None before the first."""
        sql = f"SELECT started, finished FROM job WHERE state = 'done' AND started < finished ORDER BY created DESC LIMIT {USUAL}"  # noqa: S608
        with self.store.database.reading() as db:
            (row,) = db.query(f"SELECT avg(finished - started) AS seconds FROM ({sql})")  # noqa: S608 -- constants
            return None if row["seconds"] is None else float(row["seconds"])

    def claim(self, id: str) -> Job | None:
        """Turn a queued job into a running one, or return None when it no longer waits."""
        with self.store.transaction() as db:
            sql = "UPDATE job SET state = 'running', started = ? WHERE id = ? AND state = 'queued'"
            if db.execute(sql, [time.time(), id]).rowcount == 0:
                return None
            return self._job(db["job"].get(id))

    def note(self, id: str, fraction: float | None, message: str, lines: Sequence[Event]) -> None:
        """Write down how far a running job is, and the lines of its log since the last time."""
        with self.store.transaction() as db:
            sql = "UPDATE job SET fraction = ?, message = ? WHERE id = ? AND state = 'running'"
            db.execute(sql, [fraction, message, id])
            if lines:
                rows = [(id, line.at, line.text) for line in lines]
                db.conn.executemany("INSERT INTO event (job, at, text) VALUES (?, ?, ?)", rows)
                oldest = "SELECT id FROM event WHERE job = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
                db.execute(f"DELETE FROM event WHERE job = ? AND id <= ({oldest})", [id, id, EVENTS])  # noqa: S608

    def settle(
        self,
        id: str,
        state: State,
        *,
        result: object = None,
        made: str | None = None,
        trouble: Trouble | None = None,
    ) -> None:
        """End a running job; one that has ended already keeps its end, and one without a result what it kept so far."""
        values = [
            state.value,
            None if result is None else write(result),
            made,
            None if trouble is None else write(trouble),
            time.time(),
            id,
        ]
        sql = """
            UPDATE job SET state = ?, result = ifnull(?, result), made = ?, trouble = ?, finished = ?
            WHERE id = ? AND state = 'running'"""
        with self.store.transaction() as db:
            if db.execute(sql, values).rowcount and result is not None:
                self._mention(id, result)

    def cancel_waiting(self, visitor: str, id: str) -> Job:
        """Cancel a job that has not begun, and return the job as it stands now."""
        sql = "UPDATE job SET state = 'cancelled', finished = ? WHERE id = ? AND visitor = ? AND state = 'queued'"
        with self.store.transaction() as db:
            db.execute(sql, [time.time(), id, visitor])
            return self.job(visitor, id)

    def requeue(self, visitor: str, id: str, key: str, starter: str | None = None) -> Job:
        """Queue a job that ended without a result once more, or return equal work that waits, runs or is done.

        What it kept so far stays, unless an older version of the program kept it.
        """
        sql = """
            UPDATE job SET state = 'queued', result = CASE WHEN key IS ? THEN result END, key = ?, attempt = attempt + 1,
                starter = ?, fraction = NULL, message = '', trouble = NULL, started = NULL, finished = NULL WHERE id = ?"""
        with self.store.transaction() as db:
            if not self.job(visitor, id).state.repeatable:
                return self.job(visitor, id)
            if (same := self.same(visitor, key)) is not None:
                return same
            db.execute(sql, [key, key, starter, id])
            return self.job(visitor, id)

    def interrupt(self) -> int:
        """Mark what a server that died left running, and return how many jobs that were."""
        sql = "UPDATE job SET state = 'interrupted', trouble = ?, finished = ? WHERE state = 'running'"
        with self.store.transaction() as db:
            return int(db.execute(sql, [write(INTERRUPTED), time.time()]).rowcount)

    def _job(self, row: dict[str, Any]) -> Job:
        verb, own = self._verbs[row["verb"]], {key: value for key, value in row.items() if key not in WRITTEN}
        return Job(
            **{**own, "state": State(row["state"])},
            request=read(verb.request, row["args"]),
            written=Written(verb.result, row["result"]) if row["result"] else None,
            trouble=read(Trouble, row["trouble"]) if row["trouble"] else None,
        )
