"""What administrators allow single people and projects in place of the settings."""

from core.domain.allowance import Allowance
from core.domain.errors import NotFound
from core.memory.database import Database

KNOWN = "SELECT id FROM person UNION ALL SELECT id FROM project"


class Allowances:
    """The rows of allowances in a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def of(self, visitor: str) -> Allowance:
        """Return what was allowed a visitor; nothing but None where nobody said anything."""
        with self.database.reading() as db:
            for row in db.query("SELECT minutes, sent, kept FROM allowance WHERE visitor = ?", [visitor]):
                return Allowance(**row)
        return Allowance()

    def give(self, visitor: str, allowance: Allowance, who: str) -> None:
        """Allow a person or a project so much from now on. Raises NotFound for anybody else."""
        with self.database.transaction() as db:
            if not db.execute(f"SELECT 1 FROM ({KNOWN}) WHERE id = ?", [visitor]).fetchone():  # noqa: S608 -- a constant
                raise NotFound("There is no such person or project.", "Choose one of the list.")
            db["allowance"].insert({"visitor": visitor, "who": who, **vars(allowance)}, replace=True)
