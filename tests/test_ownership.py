"""Whose a file is: a SHA-256 that a child, a cluster's worker or a browser sends opens nothing that is not the job's or the visitor's."""

import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from core.calls.table import NAMES, call
from core.domain.browser_run import sent
from core.domain.codec import Json, encode
from core.domain.errors import NotFound, Refused
from core.domain.format import Summary
from core.domain.ingestion import Ingested, IngestRequest
from core.domain.job import Job, Spec, State
from core.domain.references import Sha256, names_blobs, references
from core.domain.search import Tuning
from core.domain.work import Golden, Lessons, Subject
from core.doors.workspace import VERBS
from core.jobs.engines import Work
from core.jobs.engines.local import LocalEngine
from core.jobs.engines.remote_job import Held
from core.jobs.engines.share import Share
from core.jobs.queue import Queue
from core.memory.blobs import Blob, Blobs
from core.memory.job_blobs import JobBlobs
from core.memory.store import Store
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from tests.web.test_browser_run import RECORDED, SENT

SUMMARY = Summary("onnx")
MODEL = b"a file of Eve's"


class TakenOver(LocalEngine):
    """An engine whose worker a hostile model took over: it answers what the attacker likes."""

    def __init__(self, answer: Json, way: str) -> None:
        super().__init__(1)
        self.answer, self.way = answer, way

    def perform(self, spec: Spec, tools: Tools, work: Work) -> Json:
        """Say that the file of another visitor is what came out."""
        if self.way == "answer":
            tools.memory.answer(spec.verb, {**spec.args, "name": "another"}, self.answer)  # type: ignore[dict-item]
        if self.way == "keep":
            tools.memory.keep(self.answer)
        return self.answer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "home")
    yield opened
    opened.close()


def stored(blobs: Blobs, content: bytes) -> Blob:
    with blobs.writer() as writer:
        writer.write(content)
        return writer.commit()


@pytest.fixture
def secret(store: Store) -> str:
    """Ann's file, whose hash the attacker knows."""
    file = stored(store.blobs, b"Ann's private answers")
    store.add_artifact("ann", sha256=file.sha256, size=file.size, format="onnx", name="ann.onnx")
    return file.sha256


def attacked(store: Store, sandbox: Sandbox, answer: Any, way: str) -> Job:
    """Return Eve's job as it ended after its worker answered."""
    queue = Queue(store, sandbox, TakenOver(encode(answer), way), VERBS)
    try:
        own = stored(store.blobs, MODEL)
        return queue.wait("eve", queue.submit("eve", "ingest", IngestRequest(own.sha256, own.size, "m.onnx")).id, 20)
    finally:
        queue.close()


@pytest.mark.parametrize("way", ["result", "keep", "answer"])
def test_a_result_that_names_another_visitors_file_is_not_taken(
    store: Store, sandbox: Sandbox, secret: str, way: str
) -> None:
    job = attacked(store, sandbox, Ingested("onnx", "ONNX", SUMMARY, graph=secret), way)
    assert job.state is State.FAILED
    assert job.trouble is not None
    assert "names a file that this job did not make" in job.trouble.message
    assert job.result is None
    assert store.artifacts("eve") == []
    assert not store.holds("eve", secret)


def test_a_result_that_names_its_own_file_is_taken(store: Store, sandbox: Sandbox, secret: str) -> None:
    job = attacked(store, sandbox, Ingested("onnx", "ONNX", SUMMARY, sha256(MODEL).hexdigest()), "keep")
    assert job.state is State.DONE
    assert [report.blobs for report in store.reports("eve", str(job.made))] == [(sha256(MODEL).hexdigest(),)]


def test_a_hash_in_the_words_of_a_file_names_nothing(store: Store, sandbox: Sandbox, secret: str) -> None:
    """What a model says of itself is a stranger's text: it neither keeps a file nor makes it anybody's."""
    said = Summary("onnx", producer=secret, notes={"metadata": {"made from": secret}})
    assert attacked(store, sandbox, Ingested("onnx", "ONNX", said, None), "result").state is State.DONE
    assert not store.holds("eve", secret)
    (mine,) = store.artifacts("ann")
    store.remove_artifact("ann", mine.id)
    store.sweep(age=0)
    with pytest.raises(NotFound):
        store.blobs.path(secret)


def test_no_answer_of_a_child_has_a_place_for_a_hash() -> None:
    assert [name for name in NAMES if names_blobs(call(name).answer)] == []
    assert all(map(names_blobs, (Golden, Tuning, Lessons, Ingested, dict[str, Sha256])))


def test_a_job_reads_its_own_files_and_no_other(store: Store, secret: str) -> None:
    given = stored(store.blobs, b"given")
    job = JobBlobs(store.blobs, [given.sha256])
    assert job.path(given.sha256).read_bytes() == b"given"
    for read in (job.path, job.touch, job.verify):
        with pytest.raises(NotFound):
            read(secret)
    made = stored(job, b"made")
    assert job.verify(made.sha256).read_bytes() == b"made"
    assert stored(job, b"Ann's private answers").sha256 == secret
    assert job.has(secret), "who brings the bytes may have them"
    assert job.used == store.blobs.used == len(b"Ann's private answers" + b"given" + b"made")


def test_a_worker_gets_no_file_by_its_hash_and_gives_none(store: Store, sandbox: Sandbox, secret: str) -> None:
    share = Share(f"file://{store.home}/share")
    tools = Tools(JobBlobs(store.blobs, []), sandbox, lambda fraction, text: None, threading.Event())
    Held(tools, share).offer({"text": secret})
    assert list((store.home / "share").iterdir()) == []
    with pytest.raises(NotFound):
        Held(tools, share).take([secret])
    assert not tools.blobs.has(secret)


def test_a_browser_speaks_of_the_recording_that_it_was_given(secret: str) -> None:
    with pytest.raises(Refused, match="another recording"):
        sent({**SENT, "answers": secret}, RECORDED)


def test_references_are_what_is_declared() -> None:
    subject = Subject("a" * 64, 1, "onnx", "b" * 64, "c" * 64)
    assert references(subject) == ["a" * 64]
    assert references({"anything": ["d" * 64, subject]}) == ["d" * 64, "a" * 64]
    assert references(None) == []
