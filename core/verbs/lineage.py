"""What a verb made, written down under what it was made from."""

from typing import TYPE_CHECKING, Any

from core.domain.recipe import Step
from core.formats import FORMATS

if TYPE_CHECKING:
    from core.memory.store import Store


def add(store: "Store", visitor: str, step: dict[str, Any], parent: str, job: str) -> str:
    """Write the artifact of one step of a result under its parent, with its summary, and return its id."""
    artifact = store.add_artifact(
        visitor,
        sha256=step["sha256"],
        size=step["size"],
        format=step["format"],
        name=step["name"],
        parent=parent,
        step=Step.from_json(step),
    )
    graph = [step["graph"]] if step["graph"] else []
    summary = {
        "format": step["format"],
        "title": FORMATS[step["format"]].title,
        "summary": step["summary"],
        "graph": step["graph"],
    }
    store.add_report(visitor, artifact.id, "summary", summary, blobs=graph, job=job)
    return artifact.id
