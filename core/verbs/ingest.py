"""Take in a file: recognise it, audit it and read what it says, all in a sandboxed child."""

from core.calls import inspect
from core.calls.bench import Bench
from core.domain.ingestion import Ingested, IngestRequest
from core.jobs.verb import Verb
from core.memory.store import Store
from core.sandbox.tools import Tools


def run(tools: Tools, request: IngestRequest) -> Ingested:
    """Inspect a stored blob. Raises Refused with the audit's words."""
    tools.progress(None, "Checking the file against the allow-lists of its format")
    return inspect.ask(Bench(tools), request.sha256, request.name, tools.progress)


def record(store: Store, visitor: str, request: IngestRequest, result: Ingested, job: str) -> str | None:
    """Write the artifact and its summary, and return the artifact's id for the page that waits."""
    artifact = store.add_artifact(
        visitor,
        sha256=request.sha256,
        size=request.size,
        format=result.format,
        name=request.name,
        sample=request.sample,
    )
    store.add_report(visitor, artifact.id, "summary", result, blobs=[result.graph] if result.graph else [], job=job)
    return artifact.id


def title(request: IngestRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Inspect {request.name}"


VERB = Verb("ingest", IngestRequest, Ingested, run, record, title, page="models.py", command="inspect", brief=True)
