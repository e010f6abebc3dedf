"""What a verb made, written down under what it was made from."""

from core.converters import CONVERTERS
from core.domain.artifact import Artifact
from core.domain.ingestion import Ingested
from core.domain.made import MadeStep
from core.formats import FORMATS
from core.memory.store import Store


def add(store: Store, visitor: str, made: MadeStep, parent: str, job: str) -> str:
    """Write the artifact of one step of a result under its parent, with its summary, and return its id."""
    model = made.model
    artifact = store.add_artifact(
        visitor,
        sha256=model.sha256,
        size=model.size,
        format=model.format,
        name=model.name,
        parent=parent,
        step=made.step,
    )
    summary = Ingested(model.format, FORMATS[model.format].title, made.summary, made.graph)
    store.add_report(visitor, artifact.id, "summary", summary, blobs=[made.graph] if made.graph else [], job=job)
    return artifact.id


def conversions(artifacts: list[Artifact], id: str) -> list[Artifact]:
    """Return the other files of the same model, nearest first: converters alone lie between them and the artifact, in either direction."""
    known, found, seen = {one.id for one in CONVERTERS}, list[Artifact](), {id}
    converted = [one for one in artifacts if one.parent and one.step and one.step.transform in known]
    shelf, edge = {one.id: one for one in artifacts}, [id]
    while edge:
        here = edge.pop(0)
        up = [one.parent for one in converted if one.id == here]
        for next_one in (*up, *(one.id for one in converted if one.parent == here)):
            if next_one in shelf and next_one not in seen:
                seen.add(next_one)
                edge.append(next_one)
                found.append(shelf[next_one])
    own = {shelf[id].sha256} if id in shelf else set()
    return [one for n, one in enumerate(found) if one.sha256 not in own | {before.sha256 for before in found[:n]}]


def variants(artifacts: list[Artifact], id: str) -> list[Artifact]:
    """Return the other files of the artifact's format that go back to the same upload, in the order in which they were made."""
    shelf = {one.id: one for one in artifacts}

    def root(one: Artifact) -> str:
        while one.parent in shelf:
            one = shelf[one.parent]
        return one.id

    own = shelf[id]
    found = [one for one in artifacts if one.format == own.format and root(one) == root(own)]
    by_hash = {one.sha256: one for one in sorted(found, key=lambda one: -one.created) if one.sha256 != own.sha256}
    return sorted(by_hash.values(), key=lambda one: one.created)
