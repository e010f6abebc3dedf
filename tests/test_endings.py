"""Every job ends, whatever a file makes its child say, and whatever the database takes of it."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.domain.browser_run import sent
from core.domain.codec import Json, parse
from core.domain.errors import Refused
from core.domain.ingestion import IngestRequest
from core.domain.job import Job, State
from core.doors.workspace import VERBS
from core.jobs.engines.local import LocalEngine
from core.jobs.queue import Queue
from core.jobs.verb import Verb, Verbs
from core.memory.store import Store
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from tests.web.test_browser_run import RECORDED, SENT

Plain = dict[str, Json]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "home")
    yield opened
    opened.close()


def small_keras() -> bytes:
    """Return a file of a few hundred bytes whose class has half of a UTF-16 pair for a name."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("config.json", '{"class_name": "\\ud800", "config": {}, "module": "keras"}')
        archive.writestr("metadata.json", '{"keras_version": "3.8.0"}')
        archive.writestr("model.weights.h5", b"")
    return written.getvalue()


def test_a_file_whose_name_no_database_can_hold_ends_in_words(store: Store, sandbox: Sandbox) -> None:
    queue = Queue(store, sandbox, LocalEngine(1), VERBS)
    with store.blobs.writer() as writer:
        writer.write(small_keras())
        blob = writer.commit()
    asked = queue.submit("ann", "ingest", IngestRequest(blob.sha256, blob.size, "small.keras"))
    job = queue.wait("ann", asked.id, 30)
    queue.close()
    assert blob.size < 600
    assert job.state is State.FAILED
    assert job.trouble is not None
    assert (job.trouble.kind, "\ufffd" in job.trouble.message) == ("refused", True), job.trouble
    assert queue.submit("ann", "ingest", asked.request).id != asked.id


def say(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Say something as progress, then end by a refusal or a result in the same words."""
    tools.progress(0.5, args["words"])
    if args["refuse"]:
        raise Refused(args["words"])
    return {"words": args["words"]}


def record(store: Store, visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> str | None:
    return None


SAYING: Verbs = {"say": Verb("say", Plain, Plain, say, record, lambda args: "Say", page="models.py")}


def said(store: Store, sandbox: Sandbox, words: str, refuse: bool, seconds: float = 20) -> Job:
    queue = Queue(store, sandbox, LocalEngine(1), SAYING)
    try:
        return queue.wait("ann", queue.submit("ann", "say", {"words": words, "refuse": refuse}).id, seconds)
    finally:
        queue.close()


@pytest.mark.parametrize("refuse", [True, False], ids=["refused", "done"])
def test_an_end_that_the_database_refuses_is_a_failure_in_other_words(
    store: Store, sandbox: Sandbox, refuse: bool
) -> None:
    with store.transaction() as db:
        db.execute(
            """CREATE TRIGGER picky BEFORE UPDATE OF state ON job
               WHEN NEW.trouble LIKE '%poison%' OR (NEW.result LIKE '%poison%' AND NEW.state = 'done')
               BEGIN SELECT RAISE(ABORT, 'poison is not written down'); END"""
        )
    job = said(store, sandbox, "poison", refuse)
    assert job.state is State.FAILED
    assert job.trouble is not None
    assert job.result is None


def test_a_job_ends_as_soon_as_the_database_takes_anything(store: Store, sandbox: Sandbox) -> None:
    with store.transaction() as db:
        db.execute(
            "CREATE TRIGGER full BEFORE UPDATE OF state ON job WHEN NEW.state = 'failed' BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    queue = Queue(store, sandbox, LocalEngine(1), SAYING)
    asked = queue.submit("ann", "say", {"words": "anything", "refuse": True})
    time.sleep(1)
    assert queue.job("ann", asked.id).state is State.RUNNING
    with store.transaction() as db:
        db.execute("DROP TRIGGER full")
    job = queue.wait("ann", asked.id, 20)
    queue.close()
    assert job.state is State.FAILED
    assert job.trouble is not None
    assert "could not be written down" in job.trouble.message


def test_a_strangers_json_can_always_be_written() -> None:
    assert parse(b'{"\\udc00": ["a\\ud800", 1, {"b": "\\ud83d\\ude00"}]}') == {
        "\ufffd": ["a\ufffd", 1, {"b": "\U0001f600"}]
    }
    assert parse('["\ud800"]') == ["\ufffd"]
    assert parse(b'"\xed\xa0\x80"').encode()
    with pytest.raises(json.JSONDecodeError):
        parse('"x"'.encode("utf-16-le"))


def test_what_a_browser_says_can_be_written() -> None:
    assert sent({**SENT, "agent": "Mozilla \ud800"}, RECORDED).agent == "Mozilla \ufffd"
