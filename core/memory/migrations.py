"""The tables of the store and how they grow: small steps in order, each applied once and whole or not at all.

Visitors own everything; an artifact is made from its parent by a step; a report says what was measured on an artifact;
a job is a verb in the background with its events; a mention is a blob that a report or a job names in its JSON.
"""

import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from core.domain.errors import Unavailable

BUSY_SECONDS = 15.0
Change = Callable[[Any], None]
CHANGES: list[Change] = []
"""In the order in which they are applied; the name of each is written down then."""


def connect(path: Path) -> Any:
    """Open the file with the settings that every connection needs, for use by one thread at a time."""
    from sqlite_utils import Database

    conn = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON"):
        conn.execute(f"PRAGMA {pragma}")
    return Database(conn)


def readable(path: Path) -> Any:
    """Open the file to be read only, as it is; nothing is made or migrated."""
    from sqlite_utils import Database

    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    return Database(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None))


def prepare(db: Any) -> None:
    """Turn write-ahead logging on, which the file remembers, and apply what is new; for one process at a time. Raises Unavailable for a newer one.

    Two that turn it on together may meet "database is locked" at once: SQLite does not wait here.
    """
    from sqlite_utils import Migrations

    db.execute("PRAGMA journal_mode=WAL")
    check_age(db)
    migrations = Migrations("portolan")
    for change in CHANGES:
        migrations()(change)
    migrations.apply(db)


def check_age(db: Any) -> None:
    """Raise Unavailable for a database with changes that this program does not know."""
    if not db["_sqlite_migrations"].exists():
        return
    applied = {row["name"] for row in db.query("SELECT name FROM _sqlite_migrations WHERE migration_set = 'portolan'")}
    if newer := sorted(applied - {change.__name__ for change in CHANGES}):
        raise Unavailable(
            f"A newer Portolan wrote this database ({newer[-1]}).",
            "Run that version, or set PORTOLAN_HOME to another folder.",
        )


def migration(change: Change) -> Change:
    """Put a change of the tables at the end of the order."""
    CHANGES.append(change)
    return change


@migration
def m001_artifacts(db: Any) -> None:
    """Lineage: an artifact that others were made from cannot go before them."""
    db.execute(
        """CREATE TABLE artifact (
            id TEXT PRIMARY KEY, visitor TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
            format TEXT NOT NULL, name TEXT NOT NULL, parent TEXT REFERENCES artifact(id), step TEXT, sample TEXT,
            consented INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL) STRICT"""
    )
    db.execute("CREATE UNIQUE INDEX artifact_once ON artifact (visitor, sha256, ifnull(parent, ''), ifnull(step, ''))")
    db.execute("CREATE INDEX artifact_parent ON artifact (parent)")
    db.execute("CREATE INDEX artifact_sha256 ON artifact (sha256)")


@migration
def m002_jobs(db: Any) -> None:
    """Work: equal work that waits, runs or is done exists once; a job without a key is history and answers nothing."""
    db.execute(
        """CREATE TABLE job (
            id TEXT PRIMARY KEY, visitor TEXT NOT NULL, verb TEXT NOT NULL, title TEXT NOT NULL, args TEXT NOT NULL,
            key TEXT, state TEXT NOT NULL, fraction REAL, message TEXT NOT NULL DEFAULT '', result TEXT, trouble TEXT,
            attempt INTEGER NOT NULL DEFAULT 1, created REAL NOT NULL, started REAL, finished REAL) STRICT"""
    )
    db.execute(
        "CREATE UNIQUE INDEX job_once ON job (visitor, key) WHERE key IS NOT NULL AND state IN ('queued', 'running', 'done')"
    )
    db.execute("CREATE INDEX job_visitor ON job (visitor, created)")
    db.execute("CREATE INDEX job_state ON job (state, created)")
    db.execute(
        """CREATE TABLE event (
            id INTEGER PRIMARY KEY, job TEXT NOT NULL REFERENCES job(id) ON DELETE CASCADE,
            at REAL NOT NULL, text TEXT NOT NULL) STRICT"""
    )
    db.execute("CREATE INDEX event_job ON event (job, id)")


@migration
def m003_reports(db: Any) -> None:
    """Evidence: reports go with the artifact that they speak of, and mentions with the report or job that makes them."""
    db.execute(
        """CREATE TABLE report (
            id TEXT PRIMARY KEY, visitor TEXT NOT NULL,
            artifact TEXT NOT NULL REFERENCES artifact(id) ON DELETE CASCADE, kind TEXT NOT NULL,
            against TEXT REFERENCES artifact(id) ON DELETE SET NULL, value TEXT NOT NULL,
            job TEXT REFERENCES job(id) ON DELETE SET NULL, created REAL NOT NULL) STRICT"""
    )
    db.execute("CREATE INDEX report_artifact ON report (artifact, kind)")
    db.execute("CREATE INDEX report_against ON report (against)")
    db.execute("CREATE INDEX report_job ON report (job)")
    db.execute(
        """CREATE TABLE mention (
            sha256 TEXT NOT NULL, report TEXT REFERENCES report(id) ON DELETE CASCADE,
            job TEXT REFERENCES job(id) ON DELETE CASCADE) STRICT"""
    )
    db.execute("CREATE INDEX mention_sha256 ON mention (sha256)")
    db.execute("CREATE INDEX mention_report ON mention (report)")
    db.execute("CREATE INDEX mention_job ON mention (job)")


@migration
def m004_datasets(db: Any) -> None:
    """Samples to compare and measure with: one row a file and visitor."""
    db.execute(
        """CREATE TABLE dataset (
            id TEXT PRIMARY KEY, visitor TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
            name TEXT NOT NULL, label TEXT, sample TEXT, created REAL NOT NULL) STRICT"""
    )
    db.execute("CREATE UNIQUE INDEX dataset_once ON dataset (visitor, sha256)")


@migration
def m005_shares(db: Any) -> None:
    """Reports shown to whoever has the link; a model that goes takes them along."""
    db.execute(
        """CREATE TABLE share (
            id TEXT PRIMARY KEY, visitor TEXT NOT NULL, artifact TEXT NOT NULL REFERENCES artifact(id) ON DELETE CASCADE,
            sha256 TEXT NOT NULL, title TEXT NOT NULL, created REAL NOT NULL) STRICT"""
    )
    db.execute("CREATE INDEX share_artifact ON share (artifact, visitor)")


@migration
def m006_made(db: Any) -> None:
    """What a job made stands beside its result, which from now on is the verb's own value and nothing else."""
    db.execute("ALTER TABLE job ADD COLUMN made TEXT")
    db.execute("UPDATE job SET made = json_extract(result, '$.artifact_id') WHERE result IS NOT NULL")
    db.execute("UPDATE job SET result = json_remove(result, '$.artifact_id') WHERE result IS NOT NULL")


@migration
def m007_identity(db: Any) -> None:
    """A random name, by which the stored files know their database (core/memory/pairing.py)."""
    db.execute("CREATE TABLE identity (name TEXT NOT NULL) STRICT")
    db["identity"].insert({"name": secrets.token_hex(16)})


@migration
def m008_spending(db: Any) -> None:
    """What a visitor used on one day (of UTC, counted from 1970): processor seconds, and bytes that came in."""
    db.execute(
        """CREATE TABLE spending (
            day INTEGER NOT NULL, visitor TEXT NOT NULL, seconds REAL NOT NULL, bytes INTEGER NOT NULL,
            PRIMARY KEY (day, visitor)) STRICT, WITHOUT ROWID"""
    )


@migration
def m009_people(db: Any) -> None:
    """Who signed in and when they signed out last, projects that own rows as a person does, and what people did there."""
    db.execute(
        """CREATE TABLE person (
            id TEXT PRIMARY KEY, issuer TEXT NOT NULL, subject TEXT NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL,
            signed_out REAL NOT NULL DEFAULT 0, created REAL NOT NULL) STRICT"""
    )
    db.execute("CREATE INDEX person_email ON person (email)")
    db.execute("CREATE TABLE project (id TEXT PRIMARY KEY, name TEXT NOT NULL, created REAL NOT NULL) STRICT")
    db.execute(
        """CREATE TABLE membership (
            project TEXT NOT NULL REFERENCES project(id) ON DELETE CASCADE,
            person TEXT NOT NULL REFERENCES person(id) ON DELETE CASCADE, role TEXT NOT NULL,
            PRIMARY KEY (project, person)) STRICT"""
    )
    db.execute("CREATE INDEX membership_person ON membership (person)")
    db.execute(
        """CREATE TABLE deed (
            id INTEGER PRIMARY KEY, project TEXT NOT NULL REFERENCES project(id) ON DELETE CASCADE,
            at REAL NOT NULL, who TEXT NOT NULL, text TEXT NOT NULL, whom TEXT) STRICT"""
    )
    db.execute("CREATE INDEX deed_project ON deed (project, id)")
    db.execute("ALTER TABLE share ADD COLUMN expires REAL")


NOW = "(julianday('now') - 2440587.5) * 86400.0"
NEW_FILE = "CASE WHEN json_valid(NEW.args) THEN json_extract(NEW.args, '$.sha256') END"
AUDITED: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("artifact", "INSERT", "'model added'", "NEW.id", "NEW.sha256", "NEW.format"),
    ("artifact", "DELETE", "'model removed'", "OLD.id", "OLD.sha256", "OLD.format"),
    ("artifact", "UPDATE OF consented", "'consent given'", "NEW.id", "NEW.sha256", "NEW.format"),
    ("dataset", "INSERT", "'data added'", "NEW.id", "NEW.sha256", "NULL"),
    ("dataset", "DELETE", "'data removed'", "OLD.id", "OLD.sha256", "NULL"),
    ("share", "INSERT", "'page shared'", "NEW.artifact", "NEW.sha256", "NULL"),
    ("share", "DELETE", "'page taken back'", "OLD.artifact", "OLD.sha256", "NULL"),
    ("job", "INSERT", "'job ' || NEW.state", "NEW.id", NEW_FILE, "NEW.verb"),
    ("job", "UPDATE OF state", "'job ' || NEW.state", "NEW.id", NEW_FILE, "NEW.verb"),
    ("job", "DELETE", "'job removed'", "OLD.id", "NULL", "OLD.verb"),
)
"""Table and event; then act, subject, SHA-256 and detail as SQL."""


@migration
def m010_audit(db: Any) -> None:
    """Who did what to which file and when: written by the database itself within the change, and never changed after.

    A share's name is its key and a file's name may be personal, so neither is written here.
    """
    db.execute(
        """CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL, act TEXT NOT NULL,
            subject TEXT, sha256 TEXT, detail TEXT) STRICT"""
    )
    db.execute("CREATE INDEX audit_at ON audit (at)")
    for number, (table, event, act, subject, sha256, detail) in enumerate(AUDITED):
        row = "OLD" if event == "DELETE" else "NEW"
        when = f"WHEN OLD.{event.split()[-1]} IS NOT NEW.{event.split()[-1]}" if "OF" in event else ""
        db.execute(
            f"""CREATE TRIGGER audit_{table}_{number} AFTER {event} ON {table} {when} BEGIN
                INSERT INTO audit (at, who, act, subject, sha256, detail)
                VALUES ({NOW}, {row}.visitor, {act}, {subject}, {sha256}, {detail}); END"""  # noqa: S608 -- constants
        )
    taken = "WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)"  # or INSERT OR REPLACE would be a way to change a row
    for name, event, when in (("changed", "UPDATE", ""), ("removed", "DELETE", ""), ("replaced", "INSERT", taken)):
        db.execute(
            f"""CREATE TRIGGER audit_{name} BEFORE {event} ON audit {when}
                BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"""
        )


HELD = "FROM {0} JOIN hold USING (visitor) WHERE hold.artifact IS NULL"
HELD_BY = {
    "artifact": f"{HELD} OR hold.artifact = artifact.id",
    "report": f"{HELD} OR hold.artifact = report.artifact",
    "share": f"{HELD} OR hold.artifact = share.artifact",
    "dataset": HELD,
    "job": f"""{HELD} OR hold.artifact = job.made OR EXISTS (
        SELECT 1 FROM mention JOIN artifact USING (sha256) WHERE mention.job = job.id AND artifact.id = hold.artifact)""",  # noqa: S608 -- constants
    "project": "FROM {0} JOIN hold ON hold.visitor = project.id",
}
"""By table, which rows are held: all of a visitor's, or what concerns one model; what a model was made from cannot go before it."""
ON_HOLD = "this is on hold"


@migration
def m011_holds(db: Any) -> None:
    """What must stay until an administrator (``who``) lifts the hold: the database refuses to delete it, whoever asks.

    ``lifted_by`` is written just before the row goes, so that the audit log learns who lifted it.
    """
    db.execute(
        """CREATE TABLE hold (
            id TEXT PRIMARY KEY, visitor TEXT NOT NULL, artifact TEXT REFERENCES artifact(id), reason TEXT NOT NULL,
            who TEXT NOT NULL, since REAL NOT NULL, lifted_by TEXT) STRICT"""
    )
    db.execute("CREATE INDEX hold_visitor ON hold (visitor)")
    db.execute("CREATE INDEX hold_artifact ON hold (artifact)")
    for table, held in HELD_BY.items():
        db.execute(f"CREATE VIEW held_{table} AS SELECT {table}.id {held.format(table)}")
        db.execute(
            f"""CREATE TRIGGER hold_{table} BEFORE DELETE ON {table}
                WHEN EXISTS (SELECT 1 FROM held_{table} WHERE id = OLD.id)
                BEGIN SELECT RAISE(ABORT, '{ON_HOLD}'); END"""  # noqa: S608 -- constants
        )
    db.execute(
        f"""CREATE TRIGGER hold_lifted BEFORE DELETE ON hold WHEN OLD.lifted_by IS NULL
            BEGIN SELECT RAISE(ABORT, '{ON_HOLD}'); END"""
    )
    for name, event, who, act, subject, sha256 in (
        ("placed", "INSERT ON hold", "NEW.who", "hold placed", "ifnull(NEW.artifact, NEW.visitor)", "NULL"),
        ("lifted", "DELETE ON hold", "OLD.lifted_by", "hold lifted", "ifnull(OLD.artifact, OLD.visitor)", "NULL"),
        ("ended", "UPDATE OF expires ON share", "NEW.visitor", "page taken back", "NEW.artifact", "NEW.sha256"),
    ):
        db.execute(
            f"""CREATE TRIGGER audit_{name} AFTER {event} BEGIN
                INSERT INTO audit (at, who, act, subject, sha256)
                VALUES ({NOW}, {who}, '{act}', {subject}, {sha256}); END"""  # noqa: S608 -- constants
        )


@migration
def m012_allowances(db: Any) -> None:
    """What an administrator (``who``) allows a person or a project; and who began a job in a library that is not their own."""
    db.execute(
        """CREATE TABLE allowance (
            visitor TEXT PRIMARY KEY, minutes INTEGER, sent INTEGER, kept INTEGER, who TEXT NOT NULL) STRICT"""
    )
    db.execute("ALTER TABLE job ADD COLUMN starter TEXT")
    db.execute(
        f"""CREATE TRIGGER audit_allowed AFTER INSERT ON allowance BEGIN
            INSERT INTO audit (at, who, act, subject, detail) VALUES ({NOW}, NEW.who, 'allowance given', NEW.visitor,
            json_object('minutes', NEW.minutes, 'sent', NEW.sent, 'kept', NEW.kept)); END"""  # noqa: S608 -- a constant
    )
