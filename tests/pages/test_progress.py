"""A job that waits says where it stands, on its page and to a script."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from core.domain.ingestion import IngestRequest
from core.doors import workspace
from core.doors.routes import jobs
from core.doors.workspace import VERBS, Workspace
from core.jobs.engines.local import LocalEngine
from core.jobs.queue import Queue
from pages.widgets.progress import about
from tests.pages.showing import VISITOR, opened


@pytest.fixture
def full(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    """A queue with no place for anything."""
    queue = Queue(home.store, home.sandbox, LocalEngine(0, 0), VERBS)
    with monkeypatch.context() as here:  # undone before ``home`` ends, or the next test would find what that closed
        here.setattr(workspace, "_current", replace(home, queue=queue))
        yield queue
    queue.close()


def test_a_waiting_job_shows_its_position(full: Queue) -> None:
    waiting = [full.submit(VISITOR, "ingest", IngestRequest("0" * 64, number, "model.onnx")) for number in range(3)]
    app = opened(job=waiting[-1].id)
    (bar,) = app.get("progress")
    assert bar.proto.text == "Waiting in the queue: position 3"
    job = full.job(VISITOR, waiting[-1].id)
    assert jobs.shown(job, full.place(job))["place"] == {"position": 3, "seconds": None}
    assert jobs.shown(full.cancel(VISITOR, job.id), None)["place"] is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (4, "less than a minute"),
        (70, "about 1 minute"),
        (130, "about 2 minutes"),
        (3500, "about 1 hour"),
        (7300, "about 2 hours"),
    ],
)
def test_a_guessed_time_is_said_roughly(seconds: float, words: str) -> None:
    assert about(seconds) == words
