"""Rows beside the blobs: artifacts with their lineage and consent, data sets, reports and shares; every read but a share's names the visitor who asks.

The row comes after the blob, so a row never names a file that is not whole; and a blob is removed only when no row
names it. What a report or a job names is found by its declaration (core/domain/references.py).
"""

import secrets
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from core.domain.artifact import Artifact
from core.domain.bounds import DAY, Spent, today
from core.domain.dataset import StoredDataset
from core.domain.errors import NotFound, Refused
from core.domain.recipe import Step
from core.domain.references import references
from core.domain.share import Share
from core.domain.stored import write
from core.memory import pairing
from core.memory.allowances import Allowances
from core.memory.blobs import Blobs
from core.memory.database import Database
from core.memory.holds import Holds, refusal
from core.memory.named import kept, sweeping
from core.memory.people import People
from core.memory.projects import Projects
from core.memory.rows import (
    StoredReport,
    plain_name,
    read_artifact,
    read_dataset,
    read_report,
    read_share,
    step_text,
)

SHOWN = "(expires IS NULL OR expires > ?)"
GONE = "This page is no longer available.", "Ask the sender of the link for a new one."


class Store:
    """The database and the blobs in one folder; safe for many threads, and for other processes beside it."""

    def __init__(self, home: Path, blobs: Blobs | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if home.stat().st_mode & 0o077:  # whoever made it before us let others look
            home.chmod(0o700)
        self.home = home
        self.blobs = blobs or Blobs(home / "blobs")
        folder = self.blobs.objects.parent
        pairing.expect(home / "portolan.db", folder)
        self.database = Database(home / "portolan.db")
        self.people = People(self.database)
        self.projects = Projects(self.database)
        self.held = Holds(self.database)
        self.allowances = Allowances(self.database)
        with self.database.reading() as db:
            pairing.pair(db, folder)

    def transaction(self) -> AbstractContextManager[Any]:
        """Write all or nothing; inside another transaction of the same thread, become part of it."""
        return self.database.transaction()

    def own(self) -> None:
        """Be the one server of this folder until ``close``. Raises Unavailable when another one is at work, Refused for a bucket of another database."""
        self.database.own()
        with self.database.reading() as db:
            self.blobs.claim(pairing.name(db))

    def close(self) -> None:
        """Close the database, and let another server have the folder."""
        self.database.close()

    def add_artifact(
        self,
        visitor: str,
        *,
        sha256: str,
        size: int,
        format: str,
        name: str,
        parent: str | None = None,
        step: Step | None = None,
        sample: str | None = None,
    ) -> Artifact:
        """Write down a stored blob as a model; the same file from the same parent by the same step is the same artifact."""
        row = {
            "id": secrets.token_hex(10),
            "visitor": visitor,
            "sha256": sha256,
            "size": size,
            "format": format,
            "name": plain_name(name),
            "parent": parent,
            "step": step_text(step) if step else None,
            "sample": sample,
            "created": time.time(),
        }
        self.blobs.touch(sha256)
        with self.transaction() as db:
            if parent is not None:
                self.artifact(visitor, parent)
            db["artifact"].insert(row, ignore=True)
            same = "visitor = :visitor AND sha256 = :sha256 AND parent IS :parent AND step IS :step"
            return read_artifact(next(db.query(f"SELECT * FROM artifact WHERE {same}", row)))  # noqa: S608 -- a constant

    def artifact(self, visitor: str, id: str) -> Artifact:
        """Return one artifact. Raises NotFound for an id that is unknown or another visitor's."""
        with self.database.reading() as db:
            for row in db.query("SELECT * FROM artifact WHERE id = ? AND visitor = ?", [id, visitor]):
                return read_artifact(row)
        raise NotFound("There is no such model.", "Choose one from the list of models.")

    def owner(self, artifact: str, job: str) -> str | None:
        """Return whose an artifact is, else whose a job is; nobody else may learn it than the pages, which ask for a person's places."""
        sql = "SELECT visitor FROM artifact WHERE id = ? UNION ALL SELECT visitor FROM job WHERE id = ?"
        with self.database.reading() as db:
            return next((str(row["visitor"]) for row in db.query(sql, [artifact, job])), None)

    def has_library(self, visitor: str) -> bool:
        """Say whether a visitor has models or data sets."""
        sql = "SELECT 1 FROM artifact WHERE visitor = ? UNION ALL SELECT 1 FROM dataset WHERE visitor = ? LIMIT 1"
        with self.database.reading() as db:
            return any(True for _ in db.query(sql, [visitor, visitor]))

    def artifacts(self, visitor: str) -> list[Artifact]:
        """Return the visitor's artifacts, newest first."""
        sql = "SELECT * FROM artifact WHERE visitor = ? ORDER BY created DESC, rowid DESC"
        with self.database.reading() as db:
            return [read_artifact(row) for row in db.query(sql, [visitor])]

    def children(self, visitor: str, id: str) -> list[Artifact]:
        """Return what was made from an artifact by one step, oldest first."""
        sql = "SELECT * FROM artifact WHERE parent = ? AND visitor = ? ORDER BY created, rowid"
        with self.database.reading() as db:
            return [read_artifact(row) for row in db.query(sql, [self.artifact(visitor, id).id, visitor])]

    def lineage(self, visitor: str, id: str) -> list[Artifact]:
        """Return how an artifact came to be: from the uploaded root to the artifact itself."""
        chain = [self.artifact(visitor, id)]
        while parent := chain[0].parent:
            chain.insert(0, self.artifact(visitor, parent))
        return chain

    def rename(self, visitor: str, id: str, name: str) -> Artifact:
        """Give an artifact another name."""
        return self._change(visitor, id, {"name": plain_name(name)})

    def consent(self, visitor: str, id: str) -> Artifact:
        """Write down that the owner agrees to this file being loaded, though loading it can run code from it."""
        return self._change(visitor, id, {"consented": 1})

    def _change(self, visitor: str, id: str, values: dict[str, Any]) -> Artifact:
        with self.transaction() as db:
            db["artifact"].update(self.artifact(visitor, id).id, values)
            return self.artifact(visitor, id)

    def remove_artifact(self, visitor: str, id: str) -> None:
        """Forget an artifact and its reports; jobs that used or made its file stop being an answer to equal work.

        Raises Refused while it is on hold, others made from it are here, or a job works on it.
        """
        with self.transaction() as db:
            artifact = self.artifact(visitor, id)
            if hold := self.held.on(visitor, id):
                raise refusal(hold)
            if children := self.children(visitor, id):
                names = ", ".join(child.name for child in children[:3])
                raise Refused(f"Other models were made from this one: {names}.", "Remove those first.")
            jobs = "visitor = ? AND id IN (SELECT job FROM mention WHERE sha256 = ?)"
            if db["job"].count_where(f"state IN ('queued', 'running') AND {jobs}", [visitor, artifact.sha256]):
                raise Refused("A job is using this model.", "Wait for it or cancel it, then remove the model.")
            db.execute(f"UPDATE job SET key = NULL WHERE {jobs}", [visitor, artifact.sha256])  # noqa: S608 -- a constant
            db["artifact"].delete(artifact.id)

    def add_report(
        self,
        visitor: str,
        artifact: str,
        kind: str,
        value: object,
        against: str | None = None,
        blobs: Iterable[str] = (),
        job: str | None = None,
    ) -> str:
        """Write down what was measured on an artifact, and return the report's id; ``blobs`` must be stored."""
        named = list(dict.fromkeys([*blobs, *self.named(value)]))
        for sha256 in blobs:
            self.blobs.touch(sha256)
        row = {"id": secrets.token_hex(10), "visitor": visitor, "kind": kind, "against": against, "job": job}
        with self.transaction() as db:
            for id in filter(None, (artifact, against)):
                self.artifact(visitor, id)
            db["report"].insert({**row, "artifact": artifact, "value": write(value), "created": time.time()})
            db["mention"].insert_all({"sha256": sha256, "report": row["id"], "job": None} for sha256 in named)
        return str(row["id"])

    def reports(self, visitor: str, artifact: str, kind: str | None = None) -> list[StoredReport]:
        """Return an artifact's reports, newest first, of one kind or of all."""
        sql = "SELECT * FROM report WHERE artifact = ? AND kind = ifnull(?, kind) ORDER BY created DESC, rowid DESC"
        with self.database.reading() as db:
            rows = list(db.query(sql, [self.artifact(visitor, artifact).id, kind]))
            return [read_report(row, self._mentioned(db, row["id"])) for row in rows]

    def _mentioned(self, db: Any, report: str) -> tuple[str, ...]:
        rows = db.query("SELECT sha256 FROM mention WHERE report = ? ORDER BY rowid", [report])
        return tuple(row["sha256"] for row in rows)

    def add_dataset(
        self, visitor: str, *, sha256: str, size: int, name: str, label: str | None = None, sample: str | None = None
    ) -> StoredDataset:
        """Write down a stored blob as a data set; the same file brought again takes the newer name, and label if given."""
        row = {"id": secrets.token_hex(10), "visitor": visitor, "sha256": sha256, "size": size}
        row |= {"name": plain_name(name), "label": label, "sample": sample, "created": time.time()}
        self.blobs.touch(sha256)
        with self.transaction() as db:
            for old in db.query("SELECT * FROM dataset WHERE visitor = ? AND sha256 = ?", [visitor, sha256]):
                row |= {"id": old["id"], "label": label or old["label"], "sample": sample or old["sample"]}
            db["dataset"].insert(row, replace=True)
        return read_dataset(row)

    def datasets(self, visitor: str) -> list[StoredDataset]:
        """Return the visitor's data sets, newest first."""
        sql = "SELECT * FROM dataset WHERE visitor = ? ORDER BY created DESC, rowid DESC"
        with self.database.reading() as db:
            return [read_dataset(row) for row in db.query(sql, [visitor])]

    def remove_dataset(self, visitor: str, id: str) -> None:
        """Forget a data set; reports that were measured on it keep its file. Raises NotFound, or Refused while it is on hold."""
        with self.transaction() as db:
            if db.execute("DELETE FROM dataset WHERE id = ? AND visitor = ?", [id, visitor]).rowcount == 0:
                raise NotFound("There is no such data set.", "Choose one from the list of data sets.")

    def add_share(self, visitor: str, artifact: str, sha256: str, title: str, days: float = 0.0) -> Share:
        """Show a stored page under a name of 128 random bits, for some days or (0) for good. Raises NotFound for an artifact that is not the visitor's."""
        now = time.time()
        share = Share(
            secrets.token_hex(16), artifact, sha256, plain_name(title), now, now + days * DAY if days else None
        )
        self.blobs.touch(sha256)
        with self.transaction() as db:
            self.artifact(visitor, artifact)
            db["share"].insert({**vars(share), "visitor": visitor})
        return share

    def shares(self, visitor: str, artifact: str) -> list[Share]:
        """Return what a visitor shows of an artifact, newest first."""
        sql = f"SELECT * FROM share WHERE visitor = ? AND artifact = ? AND {SHOWN} ORDER BY created DESC, rowid DESC"  # noqa: S608
        with self.database.reading() as db:
            return [read_share(row) for row in db.query(sql, [visitor, artifact, time.time()])]

    def share(self, id: str) -> Share:
        """Return what is shown under a name, to anybody. Raises NotFound."""
        sql = f"SELECT * FROM share WHERE id = ? AND {SHOWN}"  # noqa: S608 -- a constant
        with self.database.reading() as db:
            for row in db.query(sql, [id, time.time()]):
                return read_share(row)
        raise NotFound(*GONE)

    def remove_share(self, visitor: str, id: str) -> None:
        """Stop showing a page; one on hold stays stored. Raises NotFound."""
        end = "UPDATE share SET expires = ? WHERE id = ? AND visitor = ? AND id IN (SELECT id FROM held_share)"
        with self.transaction() as db:
            if db.execute(end, [time.time(), id, visitor]).rowcount:
                return
            if db.execute("DELETE FROM share WHERE id = ? AND visitor = ?", [id, visitor]).rowcount == 0:
                raise NotFound(*GONE)

    def holds(self, visitor: str, sha256: str) -> bool:
        """Say whether a blob is the visitor's: a model, a data set or a page of theirs, or named by a report or a job of theirs."""
        sql = """
            SELECT 1 FROM artifact WHERE sha256 = :sha256 AND visitor = :visitor
            UNION ALL SELECT 1 FROM dataset WHERE visitor = :visitor AND sha256 = :sha256
            UNION ALL SELECT 1 FROM share WHERE sha256 = :sha256 AND visitor = :visitor
            UNION ALL SELECT 1 FROM mention JOIN report ON report.id = mention.report
                WHERE mention.sha256 = :sha256 AND report.visitor = :visitor
            UNION ALL SELECT 1 FROM mention JOIN job ON job.id = mention.job
                WHERE mention.sha256 = :sha256 AND job.visitor = :visitor LIMIT 1"""
        with self.database.reading() as db:
            return any(True for _ in db.query(sql, {"sha256": sha256, "visitor": visitor}))

    def spend(self, visitor: str, *, seconds: float = 0.0, bytes: int = 0) -> None:
        """Add to what a visitor used today; earlier days are forgotten."""
        add = """
            INSERT INTO spending (day, visitor, seconds, bytes) VALUES (?, ?, ?, ?) ON CONFLICT (day, visitor)
            DO UPDATE SET seconds = seconds + excluded.seconds, bytes = bytes + excluded.bytes"""
        with self.transaction() as db:
            db.execute(add, [today(), visitor, seconds, bytes])
            db.execute("DELETE FROM spending WHERE day < ?", [today()])

    def spent(self, visitor: str) -> Spent:
        """Return what a visitor used today."""
        with self.database.reading() as db:
            for row in db.query("SELECT * FROM spending WHERE day = ? AND visitor = ?", [today(), visitor]):
                return Spent(row["seconds"], row["bytes"])
        return Spent()

    def kept_bytes(self, visitor: str) -> int:
        """Return how many bytes the models and data sets of a visitor take, each file counted once."""
        sql = """
            SELECT ifnull(sum(size), 0) FROM (SELECT sha256, size FROM artifact WHERE visitor = :visitor
            UNION SELECT sha256, size FROM dataset WHERE visitor = :visitor)"""
        with self.database.reading() as db:
            return int(db.execute(sql, {"visitor": visitor}).fetchone()[0])

    def named(self, value: object) -> list[str]:
        """Return the stored blobs that a value names, made young so that they last until the value is written down."""
        found = []
        for sha256 in references(value):
            with suppress(NotFound):
                self.blobs.touch(sha256)
                found.append(sha256)
        return found

    def sweep(self, age: float = 3600.0) -> int:
        """Remove blobs older than ``age`` seconds that no artifact, data set, share, report, or open, repeatable or held job names; return how many.

        While a backup is made, that is none. Raises Refused where the blobs belong to another database (core/memory/pairing.py).
        """
        with self.transaction() as db:
            held = "SELECT id FROM held_share"
            db.execute(f"DELETE FROM share WHERE expires < ? AND id NOT IN ({held})", [time.time()])  # noqa: S608
            db.execute("DELETE FROM spending WHERE day < ?", [today()])
        with sweeping(self.home) as free, self.database.reading() as db:
            if not free:
                return 0
            pairing.check(db, self.blobs.objects.parent)
            return self.blobs.sweep(kept(db), age)
