"""Take in a file: recognise it, audit it and read what it says, all in a sandboxed child."""

from typing import TYPE_CHECKING, Any

from core.domain.errors import from_json
from core.domain.limits import READING
from core.sandbox.tools import Tools

if TYPE_CHECKING:
    from core.memory.store import Store


def run(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Inspect the blob ``args["sha256"]`` called ``args["name"]``.

    Returns ``{format, title, summary, graph}``, where graph is the SHA-256 of the weightless graph or None.
    Raises Refused with the audit's words.
    """
    tools.progress(None, "Checking the file against the allow-lists of its format")
    request = {"file": "model", "name": args["name"], "isolation_full": tools.sandbox.isolation.full}
    files = {"model": tools.blobs.path(args["sha256"])}
    with tools.sandbox.run("inspect", request, files, READING, progress=tools.progress, cancel=tools.cancel) as done:
        value = done.value
        if value["trouble"]:
            raise from_json(value["trouble"])
        graph = tools.blobs.put(done.folder / "graph.onnx").sha256 if value["graph"] else None
    return {"format": value["format"], "title": value["title"], "summary": value["summary"], "graph": graph}


def record(store: "Store", visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> dict[str, Any]:
    """Write the artifact and its summary, and return the artifact's id for the page that waits."""
    artifact = store.add_artifact(
        visitor,
        sha256=args["sha256"],
        size=args["size"],
        format=result["format"],
        name=args["name"],
        sample=args.get("sample"),
    )
    store.add_report(
        visitor, artifact.id, "summary", result, blobs=[result["graph"]] if result["graph"] else [], job=job
    )
    return {"artifact_id": artifact.id}


def title(args: dict[str, Any]) -> str:
    """Name the job for the list of jobs."""
    return f"Inspect {args['name']}"
