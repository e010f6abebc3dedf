"""The people who signed in here: how they are called, and since when older sign-ins of theirs no longer count."""

import time

from core.domain.person import Person
from core.memory.database import Database
from core.memory.rows import plain_name


class People:
    """The rows of people in a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def keep(self, person: Person, signed_in: float) -> bool:
        """Write down a person who is new or is called otherwise now; say whether a sign-in of that time still counts.

        ``signed_in`` is in whole seconds since 1970; one of the very second in which the person signed out is over too.
        """
        name = plain_name(person.name)
        sql = "SELECT name, email, signed_out FROM person WHERE id = ?"
        with self.database.reading() as db:
            row = next(db.query(sql, [person.id]), None)
        if row is not None and signed_in <= int(row["signed_out"]):
            return False
        if row is None or (row["name"], row["email"]) != (name, person.email):
            with self.database.transaction() as db:
                db.execute(
                    "INSERT INTO person (id, issuer, subject, name, email, created) VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET issuer = excluded.issuer, subject = excluded.subject, "
                    "name = excluded.name, email = excluded.email",
                    [person.id, person.issuer, person.subject, name, person.email, time.time()],
                )
        return True

    def sign_out(self, id: str) -> None:
        """End what a person began in every browser."""
        with self.database.transaction() as db:
            db.execute("UPDATE person SET signed_out = ? WHERE id = ?", [time.time(), id])
