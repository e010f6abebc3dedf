"""What people and projects may use: whose day a job counts for, what an administrator allows, and that leaving gives nothing back."""

import time
from collections.abc import Iterator

import pytest

from core.domain import bounds
from core.domain.allowance import Allowance
from core.domain.bounds import DAY, Spent
from core.domain.errors import NotFound, TooMany
from core.domain.ingestion import IngestRequest
from core.domain.limits import MB
from core.doors import places
from core.doors.administration import Desk
from core.doors.places import Place
from core.doors.samples import sample
from core.doors.workspace import Workspace
from core.jobs.budget import Budget
from core.memory import audit
from tests.pages.conftest import home  # noqa: F401
from tests.signin.test_forgetting import ANN, BEN, OURS, ROOT, fill, library

# ruff: noqa: F811 -- the fixture home of the pages


@pytest.fixture
def project(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A project of Ann's with Ben in it, on a server whose visitors have two minutes a day."""
    monkeypatch.setenv("PORTOLAN_DAY_MINUTES", "2")
    for person in (ANN, BEN, ROOT):
        home.store.people.keep(person, 1)
    begun = places.begin_project(ANN, "Waders")
    begun.let_in(BEN.email, begun.role)
    return begun


def of_ben(project: Place) -> Place:
    """Return the project as Ben works in it."""
    return places.named(places.of_person(BEN, None), project.owner)


def bring(home: Workspace, place: Place, id: str) -> None:
    """Bring a sample, and wait until it was looked at."""
    found = sample(id)
    assert found
    assert home.queue.wait(place.owner, place.bring(found).id, 60).made


def test_a_job_in_a_project_counts_for_who_begins_it_and_for_the_project(home: Workspace, project: Place) -> None:
    bring(home, of_ben(project), "penguins")
    spent = {who: home.store.spent(who).seconds for who in (BEN.id, project.owner, ANN.id)}
    assert spent[BEN.id] == spent[project.owner] > 0
    assert spent[ANN.id] == 0
    home.store.spend(BEN.id, seconds=200)
    for place in (of_ben(project), library(BEN)):
        with pytest.raises(TooMany, match="You have used your 2 processor minutes of today"):
            bring(home, place, "segment")
    home.store.spend(project.owner, seconds=200)
    bring(home, project, "segment")


def test_an_administrator_allows_a_person_more_and_a_project_less(home: Workspace, project: Place) -> None:
    home.store.spend(BEN.id, seconds=200)
    Desk(ROOT).allow(BEN.id, Allowance(minutes=10))
    bring(home, of_ben(project), "penguins")
    Desk(ROOT).allow(project.owner, Allowance(minutes=0))
    with pytest.raises(TooMany, match="This project has used its 0 processor minutes of today"):
        bring(home, of_ben(project), "segment")
    bring(home, library(BEN), "segment")
    Desk(ROOT).allow(project.owner, Allowance())
    bring(home, of_ben(project), "segment")
    acts = [one for one in audit.since(home.home, 0, time.time() + 60) if one.act == "allowance given"]
    assert [(one.who, one.subject) for one in acts] == [
        (ROOT.id, who) for who in (BEN.id, project.owner, project.owner)
    ]


def test_a_full_library_takes_no_file_and_no_job(
    home: Workspace, project: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(home, project, "fashion_cnn")
    kept = home.store.kept_bytes(project.owner)
    assert kept == sum(
        {
            one.sha256: one.size for one in [*home.store.artifacts(project.owner), *home.store.datasets(project.owner)]
        }.values()
    )
    monkeypatch.setenv("PORTOLAN_VISITOR_GB", "1")
    budget = Budget(home.store, ANN.id, project.owner)
    left = budget.left()
    assert left
    assert left.bytes == 1024 * MB - kept
    Desk(ROOT).allow(project.owner, Allowance(kept=kept))
    left = budget.left()
    assert left
    assert (left.bytes, left.of) == (0, "Of what this library may take")
    with pytest.raises(TooMany, match="may have"):
        project.submit("ingest", IngestRequest(home.store.artifacts(project.owner)[0].sha256, 1, "again.onnx"))
    project.remove(home.store.artifacts(project.owner)[0].id)
    budget.admit()


def test_what_is_sent_into_a_project_counts_for_both(home: Workspace, project: Place) -> None:
    Desk(ROOT).allow(project.owner, Allowance(sent=10 * MB))
    Desk(ROOT).allow(BEN.id, Allowance(sent=20 * MB))
    budget = Budget(home.store, BEN.id, project.owner)
    budget.receive(4 * MB)
    left = budget.left()
    assert left
    assert (left.bytes, left.of) == (6 * MB, "Of what may be sent into this project today")
    Budget(home.store, BEN.id).receive(15 * MB)
    left = budget.left()
    assert left
    assert (left.bytes, left.of) == (1 * MB, "Of what you may send today")


def test_who_deletes_everything_gets_no_new_day_and_is_allowed_no_more(
    home: Workspace, project: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(home, library(BEN), "whimbrel", OURS)
    used = home.store.spent(BEN.id)
    Desk(ROOT).allow(BEN.id, Allowance(minutes=0))
    library(BEN).forget()
    assert home.store.spent(BEN.id) == used
    assert home.store.people.keep(BEN, time.time() + 2)
    with pytest.raises(TooMany, match="your 0 processor minutes"):
        bring(home, library(BEN), "penguins")
    tomorrow = bounds.time.time() + DAY
    monkeypatch.setattr(bounds.time, "time", lambda: tomorrow)
    home.store.sweep()
    with home.store.database.reading() as db:
        assert db["spending"].count == 0


def test_a_project_takes_its_allowance_along(home: Workspace, project: Place) -> None:
    Desk(ROOT).allow(project.owner, Allowance(minutes=5))
    project.forget()
    assert home.store.allowances.of(project.owner) == Allowance()
    with pytest.raises(NotFound):
        Desk(ROOT).allow(project.owner, Allowance(minutes=5))
    with pytest.raises(NotFound):
        Desk(ROOT).allow("v" + "0" * 32, Allowance(minutes=5))


def test_an_administrator_sees_what_was_used_and_what_may_be(home: Workspace, project: Place) -> None:
    home.store.spend(BEN.id, seconds=30, bytes=MB)
    Desk(ROOT).allow(BEN.id, Allowance(kept=7))
    found = {one.visitor: one for one in Desk(ROOT).holdings()}[BEN.id]
    assert (found.spent, found.allowed) == (Spent(30, MB), Allowance(minutes=2, kept=7))
