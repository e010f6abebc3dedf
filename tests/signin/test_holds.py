"""What is on hold stays, whoever would delete it and however, until it is lifted; and who did that stands in the audit log."""

import sqlite3
import time
from contextlib import closing

import pytest
from streamlit.testing.v1 import AppTest

from core.domain.errors import NotFound, Refused
from core.doors import administration, places
from core.doors.administration import Desk
from core.doors.places import Place
from core.doors.workspace import Workspace
from core.memory import audit, belongings
from core.memory.migrations import HELD_BY, ON_HOLD
from core.verbs.ingest import IngestRequest
from tests.pages.conftest import home  # noqa: F401
from tests.pages.showing import VISITOR, bring, opened, words
from tests.signin.test_forgetting import ANN, BEN, BOTH, OURS, ROOT, fill, library, traces

# ruff: noqa: F811 -- the fixture home of the pages

WHY = "case 4711 against nobody"


@pytest.fixture
def ann(home: Workspace) -> Place:
    """Ann's library with models, a data set, links and jobs; Root has signed in too."""
    home.store.people.keep(ROOT, 1)
    fill(home, library(ANN), "whimbrel", OURS, BOTH)
    return library(ANN)


def rows(home: Workspace) -> dict[str, int]:
    """Count what can be deleted, table by table."""
    with home.store.database.reading() as db:
        return {table: db[table].count for table in HELD_BY}


def grown_old(home: Workspace) -> None:
    """Let everything be older than any retention, and every link be over."""
    with home.store.transaction() as db:
        for sql in ("artifact SET created = 1", "dataset SET created = 1", "job SET finished = 1, created = 1"):
            db.execute(f"UPDATE {sql}")
        db.execute("UPDATE share SET expires = 2")


def everyone_deletes(home: Workspace, place: Place) -> list[str]:
    """Take every way to delete what a place has, and return what was answered."""
    leaf, data = home.store.artifacts(place.owner)[0], home.store.datasets(place.owner)[0]
    ways = (
        lambda: place.remove(leaf.id),
        lambda: home.store.remove_artifact(place.owner, leaf.id),
        lambda: home.store.remove_dataset(place.owner, data.id),
        place.forget,
        lambda: Desk(ROOT).forget(place.owner),
        lambda: belongings.forget(home.store, place.owner),
    )
    said = []
    for way in ways:
        with pytest.raises(Refused) as caught:
            way()
        said.append(caught.value.message)
    return said


def test_nothing_that_a_person_has_goes_by_any_way_until_it_is_lifted(
    home: Workspace, ann: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    Desk(ROOT).hold(ann.owner, None, WHY)
    grown_old(home)
    before, files, found = rows(home), home.store.blobs.used, traces(home)
    monkeypatch.setenv("PORTOLAN_RETENTION_DAYS", "1")
    said = everyone_deletes(home, ann)
    assert all("on hold" in answer.lower() for answer in said)
    assert sum("by Root." in answer and WHY not in answer for answer in said) == 5
    assert administration.expire() == 0
    home.store.sweep(age=-1)
    assert (rows(home), home.store.blobs.used, traces(home)) == (before, files, found)

    (hold,) = Desk(ROOT).holds()
    Desk(ROOT).lift(hold.id)
    ann.forget()
    assert traces(home) == set()
    assert WHY.encode() not in b"".join(path.read_bytes() for path in home.home.rglob("*.db*"))


@pytest.mark.parametrize("table", HELD_BY)
def test_the_database_itself_refuses(home: Workspace, ann: Place, table: str) -> None:
    home.store.people.keep(BEN, 1)
    project = places.begin_project(BEN, "Waders")
    for owner in (ann.owner, project.owner):
        Desk(ROOT).hold(owner, None, WHY)
    with (
        closing(sqlite3.connect(home.home / "portolan.db")) as db,
        pytest.raises(sqlite3.IntegrityError, match=ON_HOLD),
    ):
        db.execute(f"DELETE FROM {table}")


def test_no_hold_goes_unless_somebody_lifts_it(home: Workspace, ann: Place) -> None:
    Desk(ROOT).hold(ann.owner, None, WHY)
    with pytest.raises(Refused, match="on hold"), home.store.transaction() as db:
        db.execute("DELETE FROM hold")


def test_one_model_stays_with_its_origin_reports_links_and_jobs_and_the_rest_may_go(
    home: Workspace, ann: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = next(one for one in home.store.artifacts(ann.owner) if one.parent is None)
    made = home.store.children(ann.owner, kept.id)[0]
    Desk(ROOT).hold(ann.owner, kept.id, WHY)
    grown_old(home)
    monkeypatch.setenv("PORTOLAN_RETENTION_DAYS", "1")
    with pytest.raises(Refused, match="This model is on hold"):
        ann.forget()
    ann.remove(made.id)
    with pytest.raises(Refused, match="This model is on hold since"):
        ann.remove(kept.id)
    assert administration.expire() > 0
    home.store.sweep(age=-1)
    assert [one.id for one in home.store.artifacts(ann.owner)] == [kept.id]
    assert home.store.datasets(ann.owner) == []
    assert [report.kind for report in home.store.reports(ann.owner, kept.id)] == ["parity"]
    assert [kept.sha256 in str(job.request) for job in home.queue.jobs(ann.owner)] == [True]
    assert home.store.blobs.verify(kept.sha256)
    assert rows(home)["share"] == 1
    assert home.store.shares(ann.owner, kept.id) == []


def test_a_link_can_be_taken_back_and_what_it_showed_stays(home: Workspace, ann: Place) -> None:
    model = next(one for one in home.store.artifacts(ann.owner) if one.parent is None)
    (share,) = home.store.shares(ann.owner, model.id)
    Desk(ROOT).hold(ann.owner, model.id, WHY)
    ann.take_back(share.id)
    with pytest.raises(NotFound):
        home.store.share(share.id)
    assert home.store.shares(ann.owner, model.id) == []
    home.store.sweep(age=-1)
    assert rows(home)["share"] == 2
    assert [(one.who, one.sha256) for one in acts(home) if one.act == "page taken back"] == [(ann.owner, share.sha256)]


def acts(home: Workspace) -> list[audit.Entry]:
    """Return the audit log."""
    return list(audit.since(home.home, 0, time.time() + 60))


def test_the_files_of_jobs_that_failed_long_ago_stay(home: Workspace) -> None:
    home.store.people.keep(ROOT, 1)
    (home.home / "x").write_bytes(b"no model")
    blob = home.store.blobs.put(home.home / "x")
    place = places.anonymous("v" + "1" * 32)
    job = place.submit("ingest", IngestRequest(blob.sha256, blob.size, "x.onnx"))
    assert home.queue.wait(place.owner, job.id, 60).trouble
    Desk(ROOT).hold(place.owner, None, WHY)
    grown_old(home)
    home.store.sweep(age=-1)
    assert home.store.blobs.has(blob.sha256)
    Desk(ROOT).lift(Desk(ROOT).holds()[0].id)
    home.store.sweep(age=-1)
    assert not home.store.blobs.has(blob.sha256)


def test_a_project_on_hold_stays_and_so_does_the_only_person_in_it(home: Workspace, ann: Place) -> None:
    project = places.begin_project(ANN, "whimbrel project")
    Desk(ROOT).hold(project.owner, None, WHY)
    for way in (project.forget, ann.forget):
        with pytest.raises(Refused, match=r"On hold since .*, by Root\. Nothing of it can be deleted"):
            way()
    assert [one.name for one in home.store.projects.of(ANN.id)] == ["whimbrel project"]


def test_the_audit_log_says_who_held_and_who_lifted_and_not_why(home: Workspace, ann: Place) -> None:
    model = home.store.artifacts(ann.owner)[0]
    Desk(ROOT).hold(ann.owner, None, WHY)
    Desk(ROOT).hold(ann.owner, model.id, WHY)
    for hold in Desk(ROOT).holds():
        assert (hold.reason, hold.by) == (WHY, "Root")
        Desk(ROOT).lift(hold.id)
    told = [(one.who, one.act, one.subject) for one in acts(home) if "hold" in one.act]
    assert told[:2] == [(ROOT.id, "hold placed", ann.owner), (ROOT.id, "hold placed", model.id)]
    assert set(told[2:]) == {(ROOT.id, "hold lifted", ann.owner), (ROOT.id, "hold lifted", model.id)}
    assert WHY not in str(acts(home))


def test_what_cannot_be_held_is_refused(home: Workspace, ann: Place) -> None:
    with pytest.raises(Refused, match="no reason"):
        Desk(ROOT).hold(ann.owner, None, " ")
    with pytest.raises(NotFound):
        Desk(ROOT).hold(library(BEN).owner, home.store.artifacts(ann.owner)[0].id, WHY)
    assert Desk(ROOT).holds() == []


def shown(page: AppTest) -> bool:
    """Say whether a page tells of a hold, by whom, and not why."""
    said = f"{words(page)} {[one.value for one in page.info]}"
    return "on hold since" in said.lower() and "by Root" in said and WHY not in said


def test_the_page_says_it_to_whom_it_concerns(home: Workspace) -> None:
    home.store.people.keep(ROOT, 1)
    held = bring(home, "penguins")
    Desk(ROOT).hold(VISITOR, held, WHY)
    assert not shown(opened())
    assert shown(opened(model=held))
    Desk(ROOT).hold(VISITOR, None, WHY)
    assert shown(opened())
    assert not shown(opened(visitor="v" + "1" * 32))
