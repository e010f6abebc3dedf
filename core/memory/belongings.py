"""What each visitor has, across all tables, and the end of all of it.

What is deleted here is gone from the disk too: SQLite overwrites what it frees (core/memory/migrations.py), its log is
emptied, and files that nobody else names are removed at once. Backups and the server's own log are not reached.
"""

import time
from collections.abc import Callable
from typing import Any

from core.domain.allowance import Allowance
from core.domain.belongings import Holding, Task
from core.domain.errors import Refused
from core.memory.allowances import KNOWN
from core.memory.named import sweeping
from core.memory.store import Store

SETTLING_SECONDS = 1.0
"""Between bringing equal bytes and naming them in a row somebody else takes less."""
GONE_SECONDS = 40 * 24 * 3600.0
"""For longer no cookie counts, so that nothing needs to be known of who left."""
COUNTED = ("spending", "allowance")
NAMED = """
    SELECT sha256 FROM artifact WHERE visitor {0} UNION SELECT sha256 FROM dataset WHERE visitor {0}
    UNION SELECT sha256 FROM share WHERE visitor {0}
    UNION SELECT sha256 FROM mention JOIN report ON report.id = report WHERE visitor {0}
    UNION SELECT sha256 FROM mention JOIN job ON job.id = job WHERE visitor {0}"""
WHO = """
    SELECT id, name, email FROM person UNION ALL SELECT id, name, 'project' FROM project"""


def holdings(store: Store, allowed: Callable[[str], Allowance]) -> list[Holding]:
    """Return what each visitor has, used today and is ``allowed``, the largest first."""
    sql = f"""
        WITH had AS (
            SELECT visitor, 1 AS model, 0 AS data, 0 AS job, created FROM artifact
            UNION ALL SELECT visitor, 0, 1, 0, created FROM dataset UNION ALL SELECT visitor, 0, 0, 1, created FROM job
            UNION ALL SELECT id, 0, 0, 0, created FROM project
            UNION ALL SELECT id, 0, 0, 0, created FROM person WHERE subject <> ''),
        files AS (SELECT visitor, sha256, size FROM artifact UNION SELECT visitor, sha256, size FROM dataset),
        sizes AS (SELECT visitor, sum(size) AS bytes FROM files GROUP BY visitor)
        SELECT visitor, ifnull(name, '') AS name, ifnull(email, '') AS email, sum(model) AS models, sum(data) AS datasets,
            sum(job) AS jobs, ifnull(bytes, 0) AS bytes, max(had.created) AS last
        FROM had LEFT JOIN ({WHO}) AS who ON who.id = visitor LEFT JOIN sizes USING (visitor)
        GROUP BY visitor ORDER BY bytes DESC, last DESC"""  # noqa: S608 -- a constant
    with store.database.reading() as db:
        rows = list(db.query(sql))
    return [Holding(**row, spent=store.spent(row["visitor"]), allowed=allowed(row["visitor"])) for row in rows]


def tasks(store: Store, *states: str, limit: int = 100) -> list[Task]:
    """Return the jobs of everybody in these states, newest first."""
    marks = ", ".join("?" for _ in states)
    sql = f"""
        SELECT job.id, visitor, ifnull(name, '') AS name, title, state,
            ifnull(json_extract(trouble, '$.message'), message) AS message, ifnull(started, job.created) AS began
        FROM job LEFT JOIN ({WHO}) AS who ON who.id = visitor
        WHERE state IN ({marks}) ORDER BY job.created DESC LIMIT ?"""  # noqa: S608 -- constants
    with store.database.reading() as db:
        return [Task(**row) for row in db.query(sql, [*states, limit])]


def forget(store: Store, visitor: str) -> None:
    """Delete all that a visitor has, and all of the projects that only this person is in: rows, names, events, and the files that nobody else has.

    Of a person the id stays for a while, without a name, so that their cookies open nothing and they are allowed no more
    than before; so does, until the day ends, what its owner used of it. Raises Refused while a job of
    theirs runs, while anything of it is on hold, and for the only administrator of a project with other members.
    """
    with store.transaction() as db:
        files, owners = set(), (visitor, *_deserted(db, visitor))
        store.held.check(owners)
        for owner in owners:
            if db["job"].count_where("visitor = ? AND state IN ('queued', 'running')", [owner]):
                raise Refused("A job is still at work.", "Wait until it has stopped, and try again.")
            files |= {row["sha256"] for row in db.query(NAMED.format("= :visitor"), {"visitor": owner})}
            _peel(db, "visitor = ?", [owner])
            for table in _owned(db):
                db.execute(f"DELETE FROM {table} WHERE visitor = ?", [owner])  # noqa: S608 -- names of our tables
            db.execute("DELETE FROM project WHERE id = ?", [owner])
        db.execute("DELETE FROM membership WHERE person = ?", [visitor])
        gone = "UPDATE person SET issuer = '', subject = '', name = '', email = '', signed_out = ? WHERE id = ?"
        db.execute(gone, [time.time(), visitor])
        db.execute("DELETE FROM person WHERE subject = '' AND signed_out < ?", [time.time() - GONE_SECONDS])
        db.execute(f"DELETE FROM allowance WHERE visitor NOT IN ({KNOWN})")  # noqa: S608 -- a constant
    moment = time.monotonic()
    store.database.empty_log()
    time.sleep(SETTLING_SECONDS)
    with store.database.reading() as db:
        kept = {row["sha256"] for row in db.query(NAMED.format("<> ''"))}
    with sweeping(store.home) as free:  # while a backup is made they stay, and go with the next sweep
        for sha256 in files - kept if free else ():
            store.blobs.discard(sha256, moment)


def _owned(db: Any) -> list[str]:
    """Return every table with rows of visitors, whoever added it, but what is counted by id alone."""
    sql = "SELECT m.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table' AND c.name = 'visitor'"
    return [row["name"] for row in db.query(sql) if row["name"] not in COUNTED]


def _deserted(db: Any, person: str) -> list[str]:
    """Return the projects that nobody is in without this person. Raises Refused for one with members and nobody else to govern it."""
    sql = """
        SELECT mine.project, mine.role, count(other.person) AS others, ifnull(sum(other.role = 'administrator'), 0) AS governors
        FROM membership AS mine LEFT JOIN membership AS other ON other.project = mine.project AND other.person <> mine.person
        WHERE mine.person = ? GROUP BY mine.project"""
    rows = list(db.query(sql, [person]))
    if any(row["others"] and not row["governors"] and row["role"] == "administrator" for row in rows):
        raise Refused(
            "A project with other members has no other administrator.", "Make another member an administrator first."
        )
    return [row["project"] for row in rows if not row["others"]]


def expire(store: Store, seconds: float) -> int:
    """Delete models, data sets and ended jobs that are older and not on hold; return how many. What a younger model was made from stays with it.

    Their files go with the next sweep, unless something else names them.
    """
    before = time.time() - seconds
    busy = "SELECT sha256 FROM mention JOIN job ON job.id = job WHERE state IN ('queued', 'running')"
    with store.transaction() as db:
        old = f"created < ? AND sha256 NOT IN ({busy}) AND id NOT IN (SELECT id FROM held_{{}})"  # noqa: S608
        ended = "finished < ? AND id NOT IN (SELECT id FROM held_job)"
        freed = db.execute(f"DELETE FROM dataset WHERE {old.format('dataset')}", [before]).rowcount  # noqa: S608
        freed += db.execute(f"DELETE FROM job WHERE {ended}", [before]).rowcount  # noqa: S608 -- constants
        freed += _peel(db, old.format("artifact"), [before])
        dead = "SELECT id FROM job WHERE state = 'done' AND made IS NOT NULL AND made NOT IN (SELECT id FROM artifact)"
        db.execute(f"UPDATE job SET key = NULL WHERE id IN ({dead})")  # noqa: S608 -- a constant
    return int(freed)


def _peel(db: Any, which: str, values: list[object]) -> int:
    """Delete artifacts that nothing was made from, again and again, and return how many."""
    freed = 0
    while True:
        leaf = f"{which} AND NOT EXISTS (SELECT 1 FROM artifact AS made WHERE made.parent = artifact.id)"  # noqa: S608 -- constants
        count = db.execute(f"DELETE FROM artifact WHERE {leaf}", values).rowcount  # noqa: S608 -- constants
        if count == 0:
            return freed
        freed += count
