"""Jobs: equal work once, ends that hold, progress that does not flood, and nothing lost by a restart."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.domain.codec import Json, decode, encode
from core.domain.errors import Cancelled, NotFound, Refused, Unavailable
from core.domain.job import Job, Spec, State
from core.jobs.engines.local import LocalEngine
from core.jobs.queue import Queue
from core.jobs.rows import JobRows
from core.jobs.verb import Verb, Verbs
from core.memory.store import Store
from core.sandbox import Sandbox
from core.sandbox.tools import Tools

gate = threading.Event()
Plain = dict[str, Json]


def write(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Store a blob of the given text."""
    tools.progress(0.5, "Writing")
    with tools.blobs.writer() as writer:
        writer.write(args["text"].encode())
        blob = writer.commit()
    return {"sha256": blob.sha256, "size": blob.size}


def record_written(store: Store, visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> str | None:
    name = args["text"]
    artifact = store.add_artifact(visitor, sha256=result["sha256"], size=result["size"], format="onnx", name=name)
    store.add_report(visitor, artifact.id, "note", {"text": name}, job=job)
    if name == "unrecordable":
        raise Refused("The rows do not fit.", "Choose other rows.")
    return artifact.id


def nothing(store: Store, visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> str | None:
    return None


def hold(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Run until the gate opens or the job is cancelled, as the sandbox does."""
    tools.progress(0.25, "Holding")
    while not gate.is_set():
        if tools.cancel.wait(0.01):
            raise Cancelled("The child was killed.")
    return {"attempt": "done"}


def refuse(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    raise Refused("This file has no head.", "Give it one.")


def crash(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    tools.progress(None, "Near the edge")
    raise ZeroDivisionError("over\nthe edge")


def chatter(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    for number in range(args["lines"]):
        tools.progress(number / args["lines"], f"line {number}")
        time.sleep(args["pause"])
    return {}


def wander(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Keep what was found so far, answer other work on the way, and hold."""
    found = tools.memory.known("write", {"text": "on the way"}, Plain)
    result = write(tools, {"text": "on the way"}) if found is None else found
    tools.memory.answer("write", {"text": "on the way"}, result)
    tools.memory.keep({"so far": 1, "knew": found is not None, "sha256": result["sha256"]})
    return {**hold(tools, args), "knew": found is not None}


def titled(args: dict[str, Any]) -> str:
    return f"Work on {args.get('text', 'something')}"


WORKS: dict[str, Callable[[Tools, dict[str, Any]], dict[str, Any]]] = {
    "hold": hold,
    "wander": wander,
    "refuse": refuse,
    "crash": crash,
    "chatter": chatter,
}
VERBS: Verbs = {
    "write": Verb("write", Plain, Plain, write, record_written, titled, page="models.py"),
    **{name: Verb(name, Plain, Plain, work, nothing, titled, page="models.py") for name, work in WORKS.items()},
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    gate.clear()
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    opened = Store(home)
    yield opened
    opened.close()


@pytest.fixture
def queue(store: Store, sandbox: Sandbox) -> Iterator[Queue]:
    opened = Queue(store, sandbox, LocalEngine(), VERBS)
    yield opened
    opened.close()


def until(queue: Queue, job: Job, state: State) -> Job:
    """Return the job once it is in a state."""
    for _ in range(500):
        if (now := queue.job(job.visitor, job.id)).state is state:
            return now
        time.sleep(0.01)
    raise AssertionError(f"{now} did not become {state}")


def test_a_job_runs_and_its_rows_come_with_its_end(queue: Queue, store: Store) -> None:
    job = queue.submit("ann", "write", {"text": "hello"})
    assert (job.title, job.attempt, job.visitor) == ("Work on hello", 1, "ann")
    done = queue.wait("ann", job.id, 10)
    assert done.state is State.DONE
    assert done.result is not None
    (artifact,) = store.artifacts("ann")
    assert (done.result, done.made) == ({"sha256": artifact.sha256, "size": 5}, artifact.id)
    assert [report.job for report in store.reports("ann", artifact.id)] == [job.id]
    assert (done.fraction, done.message) == (0.5, "Writing")
    assert [event.text for event in queue.events("ann", job.id)] == ["Writing"]
    assert done.created <= (done.started or 0) <= (done.finished or 0)


def test_rows_that_cannot_be_written_leave_none(queue: Queue, store: Store) -> None:
    job = queue.wait("ann", queue.submit("ann", "write", {"text": "unrecordable"}).id, 10)
    assert job.state is State.FAILED
    assert job.trouble is not None
    assert (job.trouble.kind, job.trouble.message, job.result) == ("refused", "The rows do not fit.", None)
    assert store.artifacts("ann") == []


def test_equal_work_is_one_job(queue: Queue) -> None:
    found: list[str] = []
    clicks = [
        threading.Thread(target=lambda: found.append(queue.submit("ann", "hold", {"a": 1, "b": 2}).id))
        for _ in range(16)
    ]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    assert len(found) == 16
    assert len(set(found)) == 1
    assert queue.submit("ann", "hold", {"b": 2, "a": 1}).id == found[0]
    gate.set()
    assert queue.wait("ann", found[0], 10).state is State.DONE
    assert queue.submit("ann", "hold", {"a": 1, "b": 2}).id == found[0]
    others = [queue.submit("bob", "hold", {"a": 1, "b": 2}), queue.submit("ann", "hold", {"a": 1})]
    assert found[0] not in {other.id for other in others}


def test_work_of_an_older_program_is_no_answer(queue: Queue, store: Store, sandbox: Sandbox) -> None:
    gate.set()
    old = queue.wait("ann", queue.submit("ann", "hold", {}).id, 10)
    queue.close()
    store.close()
    store = Store(store.home)
    newer = Queue(store, sandbox, LocalEngine(), VERBS, version="2")
    assert newer.submit("ann", "hold", {}).id != old.id
    newer.close()
    store.close()


def test_removing_what_a_job_made_makes_it_history(queue: Queue, store: Store) -> None:
    first = queue.wait("ann", queue.submit("ann", "write", {"text": "again"}).id, 10)
    assert first.result is not None
    assert queue.submit("ann", "write", {"text": "again"}) == first
    store.remove_artifact("ann", str(first.made))
    store.sweep(age=0)
    second = queue.wait("ann", queue.submit("ann", "write", {"text": "again"}).id, 10)
    assert second.id != first.id
    assert second.result is not None
    assert store.blobs.verify(second.result["sha256"])
    assert {job.id for job in queue.jobs("ann")} == {first.id, second.id}


def test_a_model_that_a_job_works_on_stays(queue: Queue, store: Store) -> None:
    made = queue.wait("ann", queue.submit("ann", "write", {"text": "input"}).id, 10)
    assert made.result is not None
    user = queue.submit("ann", "hold", {"sha256": made.result["sha256"]})
    with pytest.raises(Refused, match="job is using"):
        store.remove_artifact("ann", str(made.made))
    assert store.sweep(age=0) == 0
    gate.set()
    queue.wait("ann", user.id, 10)
    store.remove_artifact("ann", str(made.made))


def test_a_known_trouble_is_kept_in_its_words(queue: Queue) -> None:
    job = queue.wait("ann", queue.submit("ann", "refuse", {}).id, 10)
    assert job.state is State.FAILED
    assert job.trouble is not None
    assert encode(job.trouble) == {
        "kind": "refused",
        "message": "This file has no head.",
        "next_step": "Give it one.",
    }


def test_an_accident_is_one_line_for_the_owner_and_a_traceback_in_the_log(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "core.jobs.queue"):
        job = queue.wait("ann", queue.submit("ann", "crash", {}).id, 10)
    assert job.trouble is not None
    assert job.trouble.kind == "crashed"
    assert "fault of Portolan, not of your file" in job.trouble.message
    assert "(ZeroDivisionError: over)" in job.trouble.message
    assert "core/jobs/verb.py:" in job.trouble.next_step
    assert [event.text for event in queue.events("ann", job.id)] == ["Near the edge"]
    assert caplog.records[0].exc_info is not None
    assert job.id in caplog.text


def test_a_failed_job_runs_again_under_its_own_id(queue: Queue) -> None:
    job = queue.wait("ann", queue.submit("ann", "refuse", {}).id, 10)
    again = queue.retry("ann", job.id)
    assert (again.id, again.attempt, again.trouble) == (job.id, 2, None)
    assert queue.wait("ann", job.id, 10).state is State.FAILED
    assert queue.submit("ann", "refuse", {}).id != job.id
    gate.set()
    done = queue.wait("ann", queue.submit("ann", "hold", {}).id, 10)
    assert queue.retry("ann", done.id) == done


def test_retry_does_not_double_work_that_was_asked_for_anew(queue: Queue) -> None:
    first = queue.submit("ann", "hold", {})
    until(queue, first, State.RUNNING)
    queue.cancel("ann", first.id)
    queue.wait("ann", first.id, 10)
    second = queue.submit("ann", "hold", {})
    assert second.id != first.id
    assert queue.retry("ann", first.id).id == second.id
    assert queue.job("ann", first.id).state is State.CANCELLED


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_soon(queue: Queue) -> None:
    running = [queue.submit("ann", "hold", {"number": number}) for number in range(2)]
    waiting = queue.submit("ann", "hold", {"number": 2})
    for job in running:
        until(queue, job, State.RUNNING)
    assert queue.cancel("ann", waiting.id).state is State.CANCELLED
    begun = time.monotonic()
    queue.cancel("ann", running[0].id)
    cancelled = queue.wait("ann", running[0].id, 10)
    assert (cancelled.state, time.monotonic() - begun < 1) == (State.CANCELLED, True)
    assert cancelled.trouble is not None
    assert cancelled.trouble.kind == "cancelled"
    gate.set()
    assert queue.wait("ann", running[1].id, 10).state is State.DONE
    assert queue.cancel("ann", running[1].id).state is State.DONE
    assert queue.job("ann", waiting.id).started is None


def test_another_visitor_finds_nothing(queue: Queue) -> None:
    job = queue.submit("ann", "hold", {})
    for call in (queue.job, queue.events, queue.cancel, queue.retry):
        with pytest.raises(NotFound):
            call("bob", job.id)
    assert queue.jobs("bob") == []
    assert queue.job("ann", job.id).state.active


def test_a_verb_off_the_table_is_refused(queue: Queue) -> None:
    with pytest.raises(Unavailable, match="does not know"):
        queue.submit("ann", "os.system", {})


def test_progress_is_written_at_most_ten_times_a_second_and_its_lines_are_kept(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[float] = []
    plain = JobRows.note

    def counted(self: JobRows, *values: Any) -> None:
        notes.append(time.monotonic())
        plain(self, *values)

    monkeypatch.setattr(JobRows, "note", counted)
    job = queue.wait("ann", queue.submit("ann", "chatter", {"lines": 400, "pause": 0.002}).id, 20)
    seconds = (job.finished or 0) - (job.started or 0)
    assert 2 <= len(notes) <= 10 * seconds + 2
    assert job.message == "line 399"
    assert [event.text for event in queue.events("ann", job.id)] == [f"line {number}" for number in range(400)]


def test_a_sentence_said_just_after_another_is_shown_while_the_work_goes_on(queue: Queue) -> None:
    job = queue.submit("ann", "chatter", {"lines": 2, "pause": 0.0})
    queue.wait("ann", job.id, 10)
    held = queue.submit("ann", "hold", {})
    until(queue, held, State.RUNNING)
    for _ in range(100):
        if queue.job("ann", held.id).message:
            break
        time.sleep(0.01)
    assert (queue.job("ann", held.id).message, queue.job("ann", held.id).fraction) == ("Holding", 0.25)


def test_a_log_keeps_its_newest_500_lines(queue: Queue) -> None:
    job = queue.wait("ann", queue.submit("ann", "chatter", {"lines": 1200, "pause": 0.0005}).id, 20)
    texts = [event.text for event in queue.events("ann", job.id)]
    assert texts == [f"line {number}" for number in range(700, 1200)]


def test_a_server_that_stops_interrupts_what_runs_and_carries_on_with_what_waits(
    store: Store, sandbox: Sandbox
) -> None:
    first = Queue(store, sandbox, LocalEngine(1), VERBS)
    running, waiting = first.submit("ann", "hold", {"number": 1}), first.submit("ann", "hold", {"number": 2})
    until(first, running, State.RUNNING)
    first.close()
    store.close()
    gate.set()
    store = Store(store.home)
    second = Queue(store, sandbox, LocalEngine(1), VERBS)
    assert second.wait("ann", waiting.id, 10).state is State.DONE
    interrupted = second.job("ann", running.id)
    assert interrupted.state is State.INTERRUPTED
    assert interrupted.trouble is not None
    assert "nothing is lost" in interrupted.trouble.message
    second.retry("ann", running.id)
    assert second.wait("ann", running.id, 10).attempt == 2
    assert second.job("ann", running.id).state is State.DONE
    second.close()
    store.close()


def test_a_job_left_running_by_a_dead_server_is_interrupted(store: Store, sandbox: Sandbox) -> None:
    rows = JobRows(store, VERBS)
    job = rows.add("ann", "hold", "Hold", {}, "key")
    rows.claim(job.id)
    queue = Queue(store, sandbox, LocalEngine(), VERBS)
    assert queue.job("ann", job.id).state is State.INTERRUPTED
    queue.close()


def test_a_claim_succeeds_once(store: Store) -> None:
    rows = JobRows(store, VERBS)
    job = rows.add("ann", "hold", "Hold", {}, "key")
    claims: list[Job | None] = []
    threads = [threading.Thread(target=lambda: claims.append(rows.claim(job.id))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claim is not None for claim in claims) == 1


def test_what_is_sent_to_a_cluster_is_json(store: Store) -> None:
    job = JobRows(store, VERBS).add("ann", "write", "Write", {"sha256": "0" * 64}, "key")
    assert decode(Spec, encode(job.spec)) == job.spec


def test_what_was_found_so_far_outlives_a_cancel_and_answers_other_work(queue: Queue, store: Store) -> None:
    gate.clear()
    walk = queue.submit("ann", "wander", {})
    deadline = time.monotonic() + 10
    while queue.job("ann", walk.id).result is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert queue.job("ann", walk.id).state is State.RUNNING
    queue.cancel("ann", walk.id)
    ended = queue.wait("ann", walk.id, 10)
    assert ended.state is State.CANCELLED
    assert ended.result is not None
    assert (ended.result["so far"], ended.result["knew"]) == (1, False)
    answer = queue.submit("ann", "write", {"text": "on the way"})
    assert (answer.state, answer.attempt) == (State.DONE, 0)
    assert answer.result is not None
    assert store.artifact("ann", str(answer.made)).name == "on the way"
    assert store.blobs.verify(answer.result["sha256"])
    other = queue.submit("bob", "write", {"text": "on the way"})
    assert other.id != answer.id
    gate.set()
    queue.retry("ann", walk.id)
    done = queue.wait("ann", walk.id, 10)
    assert done.state is State.DONE
    assert done.result == {"attempt": "done", "knew": True}
