"""Tune: search recipes for the smallest or fastest model within an accuracy budget, and always keep the best so far.

Techniques learn from one quarter of the data and the search chooses by another (``core.domain.tuning.RULE``); the test
half is looked at when the search is over, from gentle to aggressive until one is no PASS (docs/decisions/verdicts.md). The order of candidates follows from the
seed and from what was measured, and trainings end by what they compute, so that equal seeds give equal answers at sizes.
The clock decides only where the search stops, and ends a training that takes several times what was reckoned; noise
decides who wins among files of like latency. What was tried is kept, so that stopping and running again goes on.
"""

from core.calls.bench import Bench
from core.domain.errors import Refused
from core.domain.search import TuneRequest, Tuning
from core.domain.work import Data
from core.formats import FORMATS
from core.jobs.verb import Verb
from core.memory.store import Store
from core.sandbox.tools import Tools
from core.verbs import compress
from core.verbs.tuning import account, finishing
from core.verbs.tuning.search import Search


def run(tools: Tools, request: TuneRequest) -> Tuning:
    """Search for the best ONNX file within the drop. Raises Refused without data, for another format, and where no technique applies."""
    return on(Bench(tools), request)


def on(bench: Bench, request: TuneRequest) -> Tuning:
    """Search on a given bench; see ``run``."""
    search = Search(bench, request, checked(request))
    search.prepare()
    search.walk()
    finishing.judge(search)
    return account.result(search)


def checked(request: TuneRequest) -> Data:
    """Return the data that is searched by. Raises Refused in the user's words."""
    if request.subject.format != compress.FORMAT:
        title = FORMATS[request.subject.format].title
        raise Refused(f"{title} files cannot be tuned directly.", "Convert the model to ONNX first.")
    if request.data is None:
        raise Refused(
            "The search compares candidates on samples, and there are none.", "Add a data set, preferably with labels."
        )
    if not 0 <= request.max_drop < 1:
        raise Refused(
            "The allowed drop must be a share of at least 0 and below 1.",
            "Write 0.01 for one percentage point of accuracy.",
        )
    return request.data


def record(store: Store, visitor: str, request: TuneRequest, result: Tuning, job: str) -> str | None:
    """Write the search beside the model; each best has written its own rows already."""
    store.add_report(visitor, request.subject.owned, "tuning", result, job=job)
    return request.subject.artifact


def title(request: TuneRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Tune {request.subject.name}: least {request.minimise}"


VERB = Verb("tune", TuneRequest, Tuning, run, record, title, page="compress.py", command="tune")
