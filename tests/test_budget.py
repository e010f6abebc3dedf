"""A visitor's day: processor minutes and bytes are counted, and a sentence says what is used up and when there is more."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.calls import inspect
from core.calls.bench import Bench
from core.domain import bounds
from core.domain.bounds import DAY, Spent
from core.domain.errors import OverLimit, Refused, TooMany
from core.domain.job import State
from core.domain.limits import MB, Limits
from core.doors.routes import visitors
from core.jobs.budget import Budget
from core.jobs.engines.local import LocalEngine
from core.jobs.queue import Queue
from core.memory.store import Store
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from tests.routes.conftest import WRITER
from tests.serving import Server
from tests.test_jobs import Plain, Verb, nothing, titled


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "home")
    yield opened
    opened.close()


def look(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Have a child look at a sample, again and again."""
    sha256 = tools.blobs.put(Path(args["file"])).sha256
    for _ in range(args["times"]):
        inspect.ask(Bench(tools), sha256, "model.onnx", tools.progress)
    return {}


VERBS = {"look": Verb("look", Plain, Plain, look, nothing, titled, page="models.py")}


@pytest.fixture
def queue(store: Store, sandbox: Sandbox) -> Iterator[Queue]:
    opened = Queue(store, sandbox, LocalEngine(), VERBS)
    yield opened
    opened.close()


def looked(queue: Queue, sample_models: Path, times: int = 1) -> dict[str, Any]:
    return {"file": str(sample_models / "fashion_cnn" / "model.onnx"), "times": times}


def test_what_children_take_is_counted_for_their_visitor(queue: Queue, store: Store, sample_models: Path) -> None:
    job = queue.submit("ann", "look", looked(queue, sample_models))
    assert queue.wait("ann", job.id, 60).state is State.DONE
    assert 0.001 < store.spent("ann").seconds < 10
    assert store.spent("bob") == Spent()


def test_a_child_that_is_killed_costs_what_it_took(tmp_path: Path) -> None:
    box, spent = Sandbox(tmp_path, "tests.hostile.attacks"), list[float]()
    limits = Limits(wall_seconds=2, cpu_seconds=20, memory_mb=600, file_mb=32)
    try:
        with pytest.raises(OverLimit, match="longer than"), box.run("spin", {}, {}, limits, spent=spent.append):
            raise AssertionError("it spins for ever")
    finally:
        box.close()
    assert len(spent) == 1
    assert 0.05 < spent[0] < 4  # of 2 s, as much as a busy machine gives to what stands back


def test_a_day_that_is_used_up_is_a_sentence_and_the_next_one_is_new(
    queue: Queue, store: Store, sample_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTOLAN_DAY_MINUTES", "2")
    store.spend("ann", seconds=119)
    store.spend("ann", seconds=2)
    with pytest.raises(TooMany, match="2 processor minutes of today") as caught:
        queue.submit("ann", "look", looked(queue, sample_models))
    assert "00:00 UTC, in about" in caught.value.next_step
    bob = queue.submit("bob", "look", looked(queue, sample_models))
    assert queue.wait("bob", bob.id, 60).state is State.DONE
    tomorrow = bounds.time.time() + DAY
    monkeypatch.setattr(bounds.time, "time", lambda: tomorrow)
    Budget(store, "ann").admit()


def test_a_job_stops_where_the_day_is_used_up_on_its_way(
    queue: Queue, store: Store, sample_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTOLAN_DAY_MINUTES", "1")
    store.spend("ann", seconds=59.99)
    job = queue.wait("ann", queue.submit("ann", "look", looked(queue, sample_models, 50)).id, 60)
    assert job.state is State.FAILED
    assert job.trouble
    assert "This job was stopped. You have used your 1 processor minutes of today." in job.trouble.message
    assert store.spent("ann").seconds < 70


def test_days_of_long_ago_are_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.spend("ann", bytes=5)
    now = bounds.time.time()
    monkeypatch.setattr(bounds.time, "time", lambda: now + 40 * DAY)
    store.spend("bob", bytes=7)
    with store.database.reading() as db:
        assert [row["visitor"] for row in db.query("SELECT visitor FROM spending")] == ["bob"]


def test_a_setting_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTOLAN_DAY_MINUTES", "two")
    with pytest.raises(Refused, match="PORTOLAN_DAY_MINUTES is 'two'"):
        bounds.bounds()


def test_what_a_visitor_sends_is_counted_and_bounded(serve: Callable[..., Server], tmp_path: Path) -> None:
    before, token = Store(tmp_path / "home"), visitors.new_token()
    before.spend(str(visitors.identity(token)), bytes=1020 * MB)
    before.close()
    server = serve(home=tmp_path / "home", PORTOLAN_DAY_GB="1")
    cookies = {visitors.COOKIE: token}
    with httpx.Client(base_url=server.url, headers=WRITER, cookies=cookies, timeout=60) as ann:
        assert ann.put("/api/data", params={"name": "a.npz"}, content=bytes(3 * MB)).status_code == 201
        for body in (bytes(2 * MB), (bytes(MB) for _ in range(2))):
            refused = ann.put("/api/data", params={"name": "b.npz"}, content=body)
            assert refused.status_code == 429
            assert "1 MB are left" in refused.json()["error"]["message"]
            assert refused.headers["retry-after"]
    with httpx.Client(base_url=server.url, headers=WRITER) as bob:
        bob.get("/")
        assert bob.put("/api/data", params={"name": "b.npz"}, content=bytes(2 * MB)).status_code == 201
