"""Projects: rows that own a library as a person does, with members and a history that only grows.

Who may ask is checked above (core/doors/places.py); here a project that somebody is no member of is not found.
"""

import secrets
import time

from core.domain.errors import NotFound, Refused
from core.domain.person import Role
from core.domain.project import PREFIX, Deed, Member, Project
from core.memory import audit
from core.memory.database import Database
from core.memory.rows import plain_name

WHOM = "{}"
NO_PROJECT = "There is no such project.", "Choose one of your projects, or ask its administrator to add you."


class Projects:
    """The rows of projects in a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, person: str, name: str) -> Project:
        """Begin a project with a person as its administrator."""
        project = Project(PREFIX + secrets.token_hex(16), plain_name(name), time.time(), Role.ADMINISTRATOR)
        with self.database.transaction() as db:
            db["project"].insert({"id": project.id, "name": project.name, "created": project.created})
            db["membership"].insert({"project": project.id, "person": person, "role": Role.ADMINISTRATOR.value})
        return project

    def of(self, person: str) -> list[Project]:
        """Return a person's projects by name."""
        sql = (
            "SELECT id, name, created, role FROM project JOIN membership ON project = id WHERE person = ? "
            "ORDER BY name, created"
        )
        with self.database.reading() as db:
            return [Project(**{**row, "role": Role(row["role"])}) for row in db.query(sql, [person])]

    def members(self, project: str) -> list[Member]:
        """Return who is in a project, by name."""
        sql = (
            "SELECT person, name, email, role FROM membership JOIN person ON person.id = person "
            "WHERE project = ? ORDER BY name"
        )
        with self.database.reading() as db:
            return [Member(**{**row, "role": Role(row["role"])}) for row in db.query(sql, [project])]

    def let_in(self, project: str, email: str, role: Role) -> Member:
        """Add a person by e-mail address, or change their role. Raises NotFound for somebody who never signed in here."""
        with self.database.transaction() as db:
            sql = "SELECT id, name, email FROM person WHERE email = ? AND email <> '' ORDER BY created DESC"
            row = next(db.query(sql, [email.strip().lower()]), None)
            if row is None:
                raise NotFound("Nobody with that e-mail address has signed in here.", "Ask them to sign in once first.")
            values = {"project": project, "person": row["id"], "role": role.value}
            db["membership"].insert(values, replace=True)
            self._governed(project)
        return Member(row["id"], row["name"], row["email"], role)

    def put_out(self, project: str, person: str) -> None:
        """Take a person out of a project. Raises Refused for its last administrator."""
        with self.database.transaction() as db:
            db.execute("DELETE FROM membership WHERE project = ? AND person = ?", [project, person])
            self._governed(project)

    def _governed(self, project: str) -> None:
        if not any(member.role is Role.ADMINISTRATOR for member in self.members(project)):
            raise Refused("A project needs an administrator.", "Make somebody else an administrator first.")

    def note(self, project: str, who: str, text: str, whom: str | None = None) -> None:
        """Write down what a person did; ``{}`` in the text is the name of ``whom``, which goes when that person goes.

        The audit log, whose own rows name the project as the owner of what changed, learns who that was.
        """
        with self.database.transaction() as db:
            audit.note(self.database, who, "worked in a project", subject=project, detail=whom)
            db["deed"].insert({"project": project, "at": time.time(), "who": who, "text": text[:400], "whom": whom})

    def deeds(self, project: str, limit: int = 200) -> list[Deed]:
        """Return what was done in a project, newest first."""
        sql = """
            SELECT at, ifnull(nullif(person.name, ''), :left) AS who, text, ifnull(nullif(other.name, ''), :left) AS whom
            FROM deed LEFT JOIN person ON person.id = who LEFT JOIN person AS other ON other.id = whom
            WHERE project = :project ORDER BY deed.id DESC LIMIT :limit"""
        with self.database.reading() as db:
            rows = list(db.query(sql, {"project": project, "limit": limit, "left": "somebody who left"}))
        return [Deed(row["at"], row["who"], row["text"].replace(WHOM, row["whom"])) for row in rows]
