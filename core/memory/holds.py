"""Legal holds: what retention, sweeps and everybody's deletions leave as it is.

The database itself refuses to delete a row that is held (``m011_holds``), so that no way to delete goes past a hold;
what asks here first answers in better words, or leaves the row and goes on with the others.
"""

import secrets
import time
from collections.abc import Iterable

from core.domain.errors import NotFound, Refused
from core.domain.hold import Hold
from core.memory.database import Database

LIFT = "An administrator of this server can lift the hold."
HOLDS = """
    SELECT hold.id, visitor, artifact, reason, ifnull(nullif(person.name, ''), 'an administrator who left') AS by, since
    FROM hold LEFT JOIN person ON person.id = who"""


class Holds:
    """The rows of holds in a database; one that was lifted has none."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def place(self, visitor: str, artifact: str | None, reason: str, who: str) -> None:
        """Hold all of a visitor's, or one model of theirs. Raises Refused without a reason, NotFound for a model that is not theirs."""
        if not reason.strip():
            raise Refused("The hold has no reason.", "Write one, such as the number of a case.")
        row = {"id": secrets.token_hex(10), "visitor": visitor, "artifact": artifact, "reason": reason.strip()[:400]}
        with self.database.transaction() as db:
            if artifact and not db["artifact"].count_where("id = ? AND visitor = ?", [artifact, visitor]):
                raise NotFound("There is no such model.", "It may have been removed meanwhile.")
            db["hold"].insert({**row, "who": who, "since": time.time()})

    def lift(self, id: str, who: str) -> None:
        """Let what was held be deleted again; the audit log keeps who did that."""
        with self.database.transaction() as db:
            db.execute("UPDATE hold SET lifted_by = ? WHERE id = ?", [who, id])
            db.execute("DELETE FROM hold WHERE id = ?", [id])

    def all(self) -> list[Hold]:
        """Return what is held, newest first."""
        with self.database.reading() as db:
            return [Hold(**row) for row in db.query(f"{HOLDS} ORDER BY since DESC")]

    def of(self, visitor: str) -> list[Hold]:
        """Return what is held of a visitor's, the oldest first."""
        with self.database.reading() as db:
            return [Hold(**row) for row in db.query(f"{HOLDS} WHERE visitor = ? ORDER BY since", [visitor])]

    def on(self, visitor: str, artifact: str) -> Hold | None:
        """Return what holds one model, or None."""
        return next((hold for hold in self.of(visitor) if hold.artifact in (None, artifact)), None)

    def check(self, visitors: Iterable[str]) -> None:
        """Raise Refused where anything of these visitors is held."""
        for hold in (hold for visitor in visitors for hold in self.of(visitor)):
            raise refusal(hold)


def refusal(hold: Hold) -> Refused:
    """Return what is said of something that must stay."""
    return Refused(f"{hold.sentence} Nothing of it can be deleted.", LIFT)
