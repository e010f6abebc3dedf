"""Read test data as the numbers by which the inputs of a served model are watched."""

from core.calls import features
from core.calls.bench import Bench
from core.domain.drift import Reference, WatchRequest
from core.domain.errors import Refused
from core.jobs.verb import Verb
from core.memory.store import Store
from core.sandbox.tools import Tools
from core.verbs import load


def run(tools: Tools, request: WatchRequest) -> Reference:
    """Read the data. Raises Refused where the model takes no numbers."""
    found = features.ask(Bench(tools), request.served, request.data)
    if not found.names:
        raise Refused("This model takes texts alone, whose drift is not measured.", "Look at the answers instead.")
    return found


def record(store: Store, visitor: str, request: WatchRequest, result: Reference, job: str) -> str | None:
    """Leave it to the job."""
    return request.subject.artifact


def title(request: WatchRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Read the test data of {request.subject.name} to watch its inputs"


VERB = Verb("watch", WatchRequest, Reference, run, record, title, page="migrate.py", permit=load.permit)
