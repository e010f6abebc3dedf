"""Record some raw samples stage by stage: the data set's own, or drawn ones where a task was declared without any."""

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.calls.call import OUT, Call, Here
from core.calls.opening import Opened, Samples, dataset_of, files, opened, samples, session_of
from core.domain.meaning import Reading
from core.domain.task import Task
from core.domain.work import Data, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench

FILE = "samples.json"
BY_DATA = "the data set, whose labels in this order were taken for the classes"


@dataclass(frozen=True)
class Request:
    """The model, the data, the task, and how the answers of what was made of the model are read."""

    model: Opened
    data: Samples | None
    task: Task
    reading: Reading


@dataclass(frozen=True)
class Answer:
    """The task with the names of the classes as far as anybody said them, who said them, and how many samples were recorded."""

    task: Task
    named: str
    samples: int


def work(request: Request, here: Here) -> Answer:
    """Write ``out/samples.json``."""
    from core.proof import raw_samples
    from core.proof.pictures import Pictures

    session = session_of(request.model, here)
    dataset = dataset_of(request.data, session)
    pictures = dataset if isinstance(dataset, Pictures) else None
    raws = raw_samples.drawn(request.task) if pictures is None else raw_samples.picked(pictures)
    task, named = request.task, "its owner" if request.task.classes else ""
    if pictures is not None and not task.classes and pictures.names:
        task, named = replace(task, classes=pictures.names), BY_DATA
    found = raw_samples.record(session, task, request.reading, raws)
    (OUT / FILE).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return Answer(task, named, len(found))


CALL = Call("raw_samples", Request, Answer, work)


def ask(bench: "Bench", source: Model, data: Data | None, task: Task, reading: Reading) -> tuple[Answer, str]:
    """Record once for each export; returns the text of the samples too."""
    return bench.once(("raw_samples", source, data, task, reading), lambda: _ask(bench, source, data, task, reading))


def _ask(bench: "Bench", source: Model, data: Data | None, task: Task, reading: Reading) -> tuple[Answer, str]:
    request = Request(opened(bench, source), samples(data), task, reading)
    with bench.call(CALL, request, files(bench, source, data), runtime_for(source.format).kind) as done:
        return done.value, (done.folder / FILE).read_text()
