"""Say what a model is for: guess how raw data become its inputs, show it on samples, and find the declared task again."""

from dataclasses import replace

from core.calls import likely, preview
from core.calls.bench import Bench
from core.domain.preprocessing import Kind
from core.domain.previewing import Preview, PreviewRequest
from core.domain.task import Declaration, Task
from core.jobs.verb import Verb
from core.memory.store import Store
from core.preprocessing import normal
from core.sandbox.tools import Tools
from core.verbs.transform import check_consent

REPORT = "task"
"""The kind of report under which a declared task is stored."""


def run(tools: Tools, request: PreviewRequest) -> Preview:
    """Guess the task unless the data come with one, show some samples on their way, and look for a better way. Raises Refused."""
    model, data, bench = request.subject.model, request.data, Bench(tools)
    check_consent(model, request.subject.consent)
    tools.progress(0.1, "Preparing some samples and asking the model")
    found = preview.ask(bench, model, data, request.task)
    tools.progress(0.5, "Trying other ways to prepare the samples")
    better = likely.ask(bench, model, replace(data, task=found.task)) if data and data.raw else None
    return Preview(found.task, found.shown, better, found.read, data)


def declared(store: Store, visitor: str, artifact: str) -> Task | None:
    """Return what the owner last said of a model, or else of what it was made from; None where nobody said anything."""
    for one in reversed(store.lineage(visitor, artifact)):
        if reports := store.reports(visitor, one.id, REPORT):
            return reports[0].read(Declaration).task
    return None


def record(store: Store, visitor: str, request: PreviewRequest, result: Preview, job: str) -> str | None:
    """Keep nothing: a guess is none until its owner says so."""
    return request.subject.artifact


def normalised(request: PreviewRequest) -> PreviewRequest:
    """Parse the options of the steps that are to be tried. Raises Refused for steps that do not fit each other."""
    data = request.data
    if data is None or data.task is None or not data.task.prepare:
        return request
    task = replace(data.task, prepare=normal(data.task.prepare, Kind.FILE))
    return replace(request, data=replace(data, task=task))


def title(request: PreviewRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Prepare samples for {request.subject.name}"


VERB = Verb(
    "task", PreviewRequest, Preview, run, record, title, page="models.py", normal=normalised, command="task", brief=True
)
