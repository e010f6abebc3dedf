"""Delete all of mine: no row, name, event or blob is left on the disk, and nobody else loses anything."""

import time

import pytest

from core.domain.errors import NotFound, Refused
from core.domain.person import Person, Role
from core.doors import administration, places
from core.doors.administration import Desk
from core.doors.places import Place
from core.doors.workspace import Workspace, close_current
from core.memory import belongings
from tests.pages.conftest import home  # noqa: F401

# ruff: noqa: F811 -- the fixture home of the pages

ANN = Person("https://id.example/ann-issuer", "subject-of-ann-77", "Ann Quixotic", "ann.quixotic@example.org")
BEN = Person("https://id.example", "ben", "Ben", "ben@example.org")
ROOT = Person("https://id.example", "root", "Root", role=Role.ADMINISTRATOR)
OURS = b"bytes that only Ann has: zyzzogeton" * 40
BOTH = b"bytes that both have: syzygial" * 40
TRACES = (
    b"zyzzogeton",
    b"Quixotic",
    b"quixotic",
    b"subject-of-ann-77",
    b"ann-issuer",
    b"whimbrel",
    b"whimbrel godwit",
    b"whimbrel dunlin",
    b"whimbrel turnstone",
)


def library(person: Person) -> Place:
    """Return the own library of somebody who signs in."""
    return places.named(places.of_person(person, None), None)


def fill(home: Workspace, place: Place, name: str, *contents: bytes) -> None:
    """Bring models with reports, data sets, links and jobs, by names that are found again."""
    home.store.people.keep(place.person or ANN, 1)
    for number, content in enumerate(contents):
        with home.store.blobs.writer() as writer:
            writer.write(content)
            blob = writer.commit()
        kept = {"sha256": blob.sha256, "size": blob.size, "name": f"{name}{number}"}
        parent = home.store.add_artifact(place.owner, format="onnx", **kept)
        home.store.add_artifact(place.owner, format="ort", parent=parent.id, **kept)
        home.store.add_report(place.owner, parent.id, "parity", {"words": f"{name} godwit"}, blobs=[blob.sha256])
        home.store.add_dataset(place.owner, **kept, label=f"{name} dunlin")
        home.store.add_share(place.owner, parent.id, blob.sha256, f"{name} turnstone")
        job = place.submit("ingest", {"sha256": blob.sha256, "name": f"{name}.onnx", "size": blob.size})
        assert not home.queue.wait(place.owner, job.id, 60).state.active


def traces(home: Workspace) -> set[bytes]:
    """Search every file of the home for what Ann had."""
    found = set()
    for path in home.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found |= {trace for trace in TRACES if trace in content}
    return found


def test_nothing_is_left_on_the_disk_and_nobody_else_loses_anything(home: Workspace) -> None:
    ann, ben = library(ANN), library(BEN)
    fill(home, ann, "whimbrel", OURS, BOTH)
    fill(home, ben, "plover", BOTH)
    alone = places.begin_project(ANN, "whimbrel project")
    fill(home, alone, "whimbrel", OURS + b"2")
    project = places.begin_project(BEN, "Waders")
    project.let_in(ANN.email, Role.ADMINISTRATOR)
    places.named(places.of_person(ANN, None), project.owner).let_in(BEN.email, Role.ADMINISTRATOR)
    others = home.store.artifacts(ben.owner), home.store.datasets(ben.owner), home.queue.jobs(ben.owner)
    used = home.store.blobs.used
    assert traces(home) == set(TRACES)
    signed_in = int(time.time())

    ann.forget()

    assert traces(home) == set()
    assert others == (home.store.artifacts(ben.owner), home.store.datasets(ben.owner), home.queue.jobs(ben.owner))
    assert all(home.store.blobs.verify(one.sha256) for one in home.store.artifacts(ben.owner))
    assert home.store.blobs.used == used - len(OURS) - len(OURS + b"2")
    assert [member.name for member in home.store.projects.members(project.owner)] == ["Ben"]
    assert {deed.who for deed in home.store.projects.deeds(project.owner)} == {"Ben", "somebody who left"}
    assert not home.store.people.keep(ANN, signed_in)
    close_current()
    assert traces(home) == set()


def test_who_comes_back_begins_anew(home: Workspace) -> None:
    ann = library(ANN)
    fill(home, ann, "whimbrel", OURS)
    ann.forget()
    assert home.store.people.keep(ANN, time.time() + 2)
    assert home.store.artifacts(library(ANN).owner) == []
    assert [one.email for one in Desk(ROOT).holdings()] == [ANN.email]


def test_a_project_goes_by_its_administrator_and_with_its_members(home: Workspace) -> None:
    for person in (ANN, BEN):
        home.store.people.keep(person, 1)
    project = places.begin_project(BEN, "whimbrel")
    fill(home, project, "whimbrel", OURS)
    project.let_in(ANN.email, Role.MEMBER)
    with pytest.raises(Refused):
        places.named(places.of_person(ANN, None), project.owner).forget()
    with pytest.raises(Refused, match="no other administrator"):
        library(BEN).forget()
    project.forget()
    assert [place.name for place in places.of_person(ANN, None)] == ["Your library"]
    assert traces(home) <= {b"Quixotic", b"quixotic", b"subject-of-ann-77", b"ann-issuer"}


def test_an_administrator_sees_figures_and_nobody_else_does(home: Workspace) -> None:
    for person in (ANN, BEN):
        with pytest.raises(Refused):
            Desk(person)
    fill(home, library(ANN), "whimbrel", OURS)
    desk = Desk(ROOT)
    (held,) = [one for one in desk.holdings() if one.name == ANN.name]
    assert (held.models, held.datasets, held.jobs, held.bytes, held.email) == (2, 1, 1, len(OURS), ANN.email)
    assert desk.at_work() == []
    assert [(task.name, task.title.startswith("Inspect"), task.state) for task in desk.failed()] == [
        (ANN.name, True, "failed")
    ]
    assert desk.failed()[0].message
    desk.forget(held.visitor)
    assert desk.holdings() == []
    assert desk.failed() == []


def test_what_is_old_goes_and_what_is_young_keeps_its_origin(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = library(ANN)
    fill(home, ann, "whimbrel", OURS, BOTH)
    assert administration.expire() == 0
    old, young = home.store.artifacts(ann.owner)[1], home.store.artifacts(ann.owner)[2]
    with home.store.transaction() as db:
        db.execute(
            "UPDATE artifact SET created = created - 1000000 WHERE parent IS NULL OR id IN (?, ?)",
            [old.id, young.parent],
        )
        db.execute("UPDATE job SET finished = finished - 1000000")
        db.execute("UPDATE dataset SET created = created - 1000000 WHERE sha256 = ?", [old.sha256])
    monkeypatch.setenv("PORTOLAN_RETENTION_DAYS", "10")
    assert administration.expire() > 0
    assert all(
        one.parent is None or home.store.artifact(ann.owner, one.parent) for one in home.store.artifacts(ann.owner)
    )
    assert home.queue.jobs(ann.owner) == []
    assert len(home.store.datasets(ann.owner)) == 1
    assert belongings.expire(home.store, 10 * 24 * 3600) == 0
    with pytest.raises(NotFound):
        home.store.artifact(ann.owner, next(iter({old.id} - {one.id for one in home.store.artifacts(ann.owner)}), "x"))
