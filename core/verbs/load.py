"""Ask a served package at a fixed rate, time each answer from when its request was due, and look for the largest safe rate."""

from core.calls.bench import Bench
from core.domain.errors import Refused
from core.domain.load import Load, LoadRequest
from core.domain.reach import may_serve
from core.jobs.verb import Verb
from core.memory.store import Store
from core.sandbox.tools import Tools
from core.verbs import loading


def run(tools: Tools, request: LoadRequest) -> Load:
    """Load a server. Raises Refused for a rate, a time or a budget off the bounds, NotFound for a server that is gone."""
    server = tools.sandbox.servers.known(request.server)
    question = loading.Question(server.port, loading.inference(server.name), loading.example(server.unpacked))
    with Bench(tools).alone():
        return loading.measured(tools, question, request.rate, request.seconds, request.budget)


def permit(visitor: str) -> None:
    """Raise Refused for a visitor who may not serve anything on this machine."""
    if not may_serve():
        raise Refused(
            "This server is for others too, and nobody signs in, so no package is served on it.",
            "Unpack the package and run `python server.py`.",
        )


def record(store: Store, visitor: str, request: LoadRequest, result: Load, job: str) -> str | None:
    """Write the figures beside the model."""
    store.add_report(visitor, request.subject.owned, "load", result, job=job)
    return request.subject.artifact


def title(request: LoadRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Load the server of {request.subject.name} with {request.rate:g} requests a second"


VERB = Verb("load", LoadRequest, Load, run, record, title, page="migrate.py", command="load", permit=permit)
