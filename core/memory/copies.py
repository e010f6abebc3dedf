"""A model brought from one library to another: rows anew, the files stay where they are."""

import secrets

from core.domain.artifact import Artifact
from core.memory.store import Store


def copy(store: Store, visitor: str, id: str, to: str) -> str:
    """Copy an artifact with its lineage and the reports on it; return its id there. What is there already stays as it is.

    A consent is not copied: it is the word of the one who gave it. Raises NotFound.
    """
    with store.transaction():
        made: dict[str, str] = {}
        for one in store.lineage(visitor, id):
            parent = made[one.parent] if one.parent else None
            made[one.id] = _row(store, one, parent, to)
        for old, new in made.items():
            _reports(store, visitor, old, new, to, made)
        return made[id]


def _row(store: Store, one: Artifact, parent: str | None, to: str) -> str:
    return store.add_artifact(
        to,
        sha256=one.sha256,
        size=one.size,
        format=one.format,
        name=one.name,
        parent=parent,
        step=one.step,
        sample=one.sample,
    ).id


def _reports(store: Store, visitor: str, old: str, new: str, to: str, made: dict[str, str]) -> None:
    """Copy the reports of one artifact, oldest first, but those against a model that is not copied and those that are there."""
    there = {(report.kind, report.text) for report in store.reports(to, new)}
    for report in reversed(store.reports(visitor, old)):
        if (report.kind, report.text) in there or (report.against is not None and report.against not in made):
            continue
        against = made[report.against] if report.against else None
        row = {"new": secrets.token_hex(10), "to": to, "artifact": new, "against": against, "old": report.id}
        with store.transaction() as db:
            db.execute(
                "INSERT INTO report (id, visitor, artifact, kind, against, value, created) "
                "SELECT :new, :to, :artifact, kind, :against, value, created FROM report WHERE id = :old",
                row,
            )
            db.execute("INSERT INTO mention (sha256, report) SELECT sha256, :new FROM mention WHERE report = :old", row)
