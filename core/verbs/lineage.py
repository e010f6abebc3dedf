"""What a verb made, written down under what it was made from."""

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
