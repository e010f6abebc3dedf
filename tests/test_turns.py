"""Turns: nobody's long line and nobody's long job hold back another visitor."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.domain.errors import TooMany
from core.domain.job import Job, Place, State
from core.jobs.engines.local import LocalEngine
from core.jobs.queue import Queue
from core.jobs.turns import Places, Turns
from core.memory.store import Store
from core.sandbox import Sandbox
from tests import test_jobs
from tests.test_jobs import VERBS, until

BRIEF = {**VERBS, "look": test_jobs.Verb(
    "look", test_jobs.Plain, test_jobs.Plain, test_jobs.hold, test_jobs.nothing, test_jobs.titled, page="models.py", brief=True
)}  # fmt: skip


def begun(turns: Turns, places: Places) -> list[str]:
    """Return the ids that begin as long as none ends, in their order."""
    found: list[str] = []
    asking = threading.Thread(target=lambda: found.extend(iter(lambda: turns.next(lambda: places) or "", "")))
    asking.start()
    asking.join(0.3)
    turns.close()
    asking.join()
    return found


def line(*jobs: tuple[str, str], brief: str = "") -> Turns:
    turns = Turns()
    for visitor, id in jobs:
        turns.add(visitor, id, id == brief)
    return turns


def test_visitors_take_turns() -> None:
    turns = line(*[("ann", f"a{n}") for n in range(9)], ("bob", "b0"), ("bob", "b1"), ("cid", "c0"))
    places = [turns.position("ann", "a0"), turns.position("bob", "b0"), turns.position("bob", "b1"), turns.position("cid", "c0")]  # fmt: skip
    assert places == [1, 2, 5, 3]
    assert turns.position("ann", "a8") == 12
    order = []
    for _ in range(6):
        order.append(str(turns.next(lambda: Places(1))))
        turns.ended(order[-1])
    assert order == ["a0", "b0", "c0", "a1", "b1", "a2"]


def test_who_runs_less_comes_first() -> None:
    turns = line(("ann", "a0"), ("ann", "a1"), ("bob", "b0"), ("ann", "a2"), ("bob", "b1"))
    assert begun(turns, Places(4)) == ["a0", "b0", "a1", "b1"]


def test_a_place_is_kept_for_who_has_none_running_and_one_for_brief_work() -> None:
    loops = [("ann", f"a{n}") for n in range(5)]
    assert begun(line(*loops), Places(2, 2)) == ["a0", "a1"]
    assert begun(line(*loops, ("bob", "b0"), ("bob", "b1")), Places(2, 2)) == ["a0", "b0"]
    full = line(*loops)
    for _ in range(2):
        full.next(lambda: Places(2, 2))
    for visitor in ("bob", "cid", "dan"):
        full.add(visitor, f"{visitor}'s", visitor == "dan")
    assert begun(full, Places(2, 2)) == ["bob's", "dan's"]


def test_a_cancelled_job_leaves_the_line_and_its_visitor_keeps_the_turn() -> None:
    turns = line(("ann", "a0"), ("ann", "a1"), ("bob", "b0"))
    turns.drop("ann", "a0")
    turns.drop("ann", "unknown")
    assert (turns.position("ann", "a0"), turns.position("ann", "a1"), turns.waiting("ann")) == (None, 1, 1)
    assert begun(turns, Places(2)) == ["a1", "b0"]


def test_a_job_that_is_queued_again_while_it_ends_waits_for_its_end() -> None:
    turns = line(("ann", "a0"))
    assert turns.next(lambda: Places(2)) == "a0"
    turns.add("ann", "a0", brief=False)
    later = threading.Timer(0.3, turns.ended, ("a0",))
    later.start()
    began = time.monotonic()
    assert turns.next(lambda: Places(2)) == "a0"
    assert time.monotonic() - began > 0.2


@pytest.fixture
def queue(tmp_path: Path, sandbox: Sandbox) -> Iterator[Queue]:
    test_jobs.gate.clear()
    store = Store(tmp_path / "home")
    opened = Queue(store, sandbox, LocalEngine(), BRIEF)
    yield opened
    opened.close()
    store.close()


def loops(queue: Queue, visitor: str, number: int, verb: str = "hold") -> list[Job]:
    return [queue.submit(visitor, verb, {"number": one}) for one in range(number)]


def test_five_hundred_jobs_and_two_loops_of_one_visitor_hold_nobody_back(queue: Queue) -> None:
    held = loops(queue, "ann", 500)
    for job in held[:2]:
        until(queue, job, State.RUNNING)
    for visitor in ("bob", "cid"):
        began = time.monotonic()
        until(queue, queue.submit(visitor, "look", {}), State.RUNNING)
        assert time.monotonic() - began < 1
    assert [queue.job("ann", job.id).state for job in held[2:]] == [State.QUEUED] * 498


def test_a_waiting_job_says_its_position_and_about_when_it_begins(queue: Queue) -> None:
    running, waiting = loops(queue, "ann", 2), loops(queue, "ann", 5)[2:]
    for job in running:
        until(queue, job, State.RUNNING)
    assert [queue.place(queue.job("ann", job.id)) for job in waiting] == [Place(n, None) for n in (1, 2, 3)]
    assert queue.place(queue.job("ann", running[0].id)) is None
    test_jobs.gate.set()
    for job in waiting:
        queue.wait("ann", job.id, 10)
    test_jobs.gate.clear()
    later = [queue.submit("ann", "hold", {"later": n}) for n in range(3)]
    place = queue.place(queue.job("ann", later[-1].id))
    assert place is not None
    assert place.seconds is not None
    assert 0 < place.seconds < 5
    time.sleep(6)
    longer = queue.place(queue.job("ann", later[-1].id))
    assert longer is not None
    assert longer.seconds is not None
    assert (
        5 < longer.seconds < 30
    )  # those that run have run for longer than usual, and nobody knows for how long they will


def test_one_visitor_has_at_most_so_many_jobs_waiting(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTOLAN_MAX_WAITING", "3")
    held = loops(queue, "ann", 2)
    for job in held:
        until(queue, job, State.RUNNING)
    failed = queue.wait("bob", queue.submit("bob", "refuse", {}).id, 10)
    loops(queue, "ann", 5)
    loops(queue, "bob", 4)
    with pytest.raises(TooMany, match="3 of your jobs are waiting") as caught:
        queue.submit("ann", "hold", {"number": "one more"})
    assert "cancel" in caught.value.next_step
    assert queue.submit("ann", "hold", {"number": 4}).state is State.QUEUED
    with pytest.raises(TooMany):
        queue.retry("bob", failed.id)
    queue.cancel("ann", queue.submit("ann", "hold", {"number": 4}).id)
    assert queue.submit("ann", "hold", {"number": "one more"}).state is State.QUEUED


def test_a_server_for_others_has_bounds_and_a_laptop_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.domain.bounds import bounds

    assert bounds().waiting is None
    for name, value in (("PORTOLAN_ADDRESS", "0.0.0.0"), ("PORTOLAN_HOSTS", "portolan.example")):
        with monkeypatch.context() as shared:
            shared.setenv(name, value)
            assert bounds().waiting == 50
