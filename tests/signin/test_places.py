"""Roles, projects and links: who may do what where, what is written down of it, and what a colleague then finds."""

# ruff: noqa: F811 -- the fixture home of the pages

from collections.abc import Callable
from typing import Any

import pytest

from core.domain.canary import Terms
from core.domain.compression import CompressRequest
from core.domain.conversion import Subject
from core.domain.drift import Reference
from core.domain.errors import NotFound, Refused
from core.domain.installation import InstallRequest
from core.domain.person import Person, Role
from core.domain.recipe import Step
from core.doors import places, signin
from core.doors.places import Place
from core.doors.samples import sample
from core.doors.workspace import Workspace
from core.memory.store import Store
from tests.pages.conftest import home  # noqa: F401
from tests.serving import Server
from tests.signin.conftest import signed_in
from tests.signin.provider import ANN, BEN, VIC

SUBJECT = "1001"


@pytest.fixture
def people(home: Workspace) -> dict[str, Person]:
    """Three people who have signed in."""
    known = {
        name: Person("https://id.example", name, name.title(), f"{name}@example.org") for name in ("ann", "ben", "vic")
    }
    for person in known.values():
        home.store.people.keep(person, 1)
    return known


def of(person: Person, owner: str | None = None, browser: str | None = None) -> Place:
    """Return one of a person's places, as a page would."""
    return places.named(places.of_person(person, browser), owner)


def with_model(home: Workspace, place: Place) -> str:
    """Bring a sample to a place and return its id there."""
    found = sample("penguins")
    assert found
    made = home.queue.wait(place.owner, place.bring(found).id, 60).made
    assert made
    return made


@pytest.mark.parametrize(
    ("settings", "claims", "expected"),
    [
        ({}, {}, Role.MEMBER),
        ({"PORTOLAN_ROLE": "viewer"}, {}, Role.VIEWER),
        ({"PORTOLAN_ADMINISTRATORS": "x@y.z, Ann@Example.org"}, {}, Role.ADMINISTRATOR),
        ({"PORTOLAN_ADMINISTRATORS": SUBJECT}, {}, Role.ADMINISTRATOR),
        ({"PORTOLAN_VIEWERS": SUBJECT, "PORTOLAN_MEMBERS": "ann@example.org"}, {}, Role.MEMBER),
        ({"PORTOLAN_ROLE_CLAIM": "roles"}, {"roles": ["other", "viewer"]}, Role.VIEWER),
        ({"PORTOLAN_ROLE_CLAIM": "a.roles"}, {"a": {"roles": ["portolan-administrator"]}}, Role.ADMINISTRATOR),
        ({"PORTOLAN_ROLE_CLAIM": "role"}, {"role": "administrator"}, Role.ADMINISTRATOR),
        ({"PORTOLAN_ROLE_CLAIM": "role", "PORTOLAN_VIEWERS": SUBJECT}, {"role": "administrator"}, Role.VIEWER),
        ({}, {"role": "administrator", "roles": ["administrator"], "": "administrator"}, Role.MEMBER),
    ],
)
def test_a_role_comes_from_a_list_or_a_claim(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], claims: dict[str, Any], expected: Role
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert signin.role(SUBJECT, "ann@example.org", claims) is expected


def test_nobody_without_an_address_is_on_a_list_with_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTOLAN_ADMINISTRATORS", " , ")
    assert signin.role(SUBJECT, "", {}) is Role.MEMBER


def test_a_colleague_opens_what_is_in_the_project_and_a_stranger_does_not(
    home: Workspace, people: dict[str, Person]
) -> None:
    project = places.begin_project(people["ann"], "Sea charts")
    model = with_model(home, project)
    project.let_in("BEN@example.org ", Role.MEMBER)
    assert home.store.artifact(of(people["ben"], project.owner).owner, model).name == "penguins.skops"
    with pytest.raises(NotFound):
        of(people["vic"], project.owner)
    with pytest.raises(NotFound):
        home.store.artifact(of(people["ann"]).owner, model)
    project.let_in("vic@example.org", Role.VIEWER)
    assert of(people["vic"], project.owner).role is Role.VIEWER
    ben = next(one for one in home.store.projects.members(project.owner) if one.name == "Ben")
    project.put_out(ben)
    with pytest.raises(NotFound):
        of(people["ben"], project.owner)


def test_the_history_says_who_did_what(home: Workspace, people: dict[str, Person]) -> None:
    project = places.begin_project(people["ann"], "Sea charts")
    project.let_in("ben@example.org", Role.MEMBER)
    mine = of(people["ben"], project.owner)
    mine.remove(with_model(home, mine))
    told = [(deed.who, deed.text) for deed in reversed(home.store.projects.deeds(project.owner))]
    assert told[:2] == [("Ann", "began the project"), ("Ann", "made Ben a member")]
    assert told[2][0] == told[3][0] == "Ben"
    assert told[2][1].startswith("began: ")
    assert told[3][1].startswith("removed penguins.skops (")


def acts(model: str, share: str) -> dict[str, Callable[[Place], object]]:
    """Return everything that changes a place."""
    request = CompressRequest(Subject(model, "0" * 64, "onnx", "a.onnx", 1), ())
    found = sample("penguins")
    assert found
    return {
        "submit": lambda place: place.submit("compress", request),
        "bring": lambda place: place.bring(found),
        "retry": lambda place: place.retry("x"),
        "cancel": lambda place: place.cancel("x"),
        "remove": lambda place: place.remove(model),
        "consent": lambda place: place.consent(model),
        "report": lambda place: place.report(model, "parity", None),
        "take back": lambda place: place.take_back(share),
        "copy": lambda place: place.copy(model, place),
        "let in": lambda place: place.let_in("vic@example.org", Role.ADMINISTRATOR),
    }


@pytest.mark.parametrize("act", acts("", ""))
def test_a_viewer_changes_nothing(home: Workspace, people: dict[str, Person], act: str) -> None:
    project = places.begin_project(people["ann"], "Sea charts")
    model = with_model(home, project)
    project.let_in("vic@example.org", Role.VIEWER)
    before = home.store.projects.deeds(project.owner)
    viewer = of(people["vic"], project.owner)
    with pytest.raises(Refused, match="You are a viewer here"):
        acts(model, "x")[act](viewer)
    assert home.store.projects.deeds(project.owner) == before
    assert home.store.artifact(viewer.owner, model).consented is False
    assert [job.verb for job in home.queue.jobs(viewer.owner)] == ["ingest"]


def test_a_viewer_steers_no_server(home: Workspace, people: dict[str, Person]) -> None:
    project = places.begin_project(people["ann"], "Sea charts")
    project.let_in("vic@example.org", Role.VIEWER)
    viewer = of(people["vic"], project.owner)
    assert project.steers
    assert not viewer.steers
    for act in (
        lambda: viewer.serve("0" * 64, "a", "m"),
        lambda: viewer.silence("s"),
        lambda: viewer.front("s"),
        lambda: viewer.try_beside("s", "t", Terms()),
        lambda: viewer.watch("a", Reference((), ())),
        lambda: viewer.promote("a"),
        lambda: viewer.roll_back("a"),
        lambda: viewer.give_up("a"),
    ):
        with pytest.raises(Refused, match="You are a viewer here"):
            act()


def test_a_viewer_of_the_server_is_one_in_every_place(home: Workspace, people: dict[str, Person]) -> None:
    project = places.begin_project(people["ann"], "Sea charts")
    project.let_in("vic@example.org", Role.ADMINISTRATOR)
    vic = Person("https://id.example", "vic", "Vic", "vic@example.org", Role.VIEWER)
    assert {place.role for place in places.of_person(vic, None)} == {Role.VIEWER}
    with pytest.raises(Refused):
        places.begin_project(vic, "Mine")


def test_a_member_governs_nobody_and_a_project_keeps_an_administrator(
    home: Workspace, people: dict[str, Person]
) -> None:
    project = places.begin_project(people["ann"], "Sea charts")
    project.let_in("ben@example.org", Role.MEMBER)
    mine = of(people["ben"], project.owner)
    ann, ben = home.store.projects.members(project.owner)
    with pytest.raises(Refused):
        mine.let_in("ben@example.org", Role.ADMINISTRATOR)
    with pytest.raises(Refused):
        mine.put_out(ann)
    with pytest.raises(Refused, match="needs an administrator"):
        project.put_out(ann)
    with pytest.raises(Refused, match="needs an administrator"):
        project.let_in("ann@example.org", Role.MEMBER)
    assert [member.role for member in home.store.projects.members(project.owner)] == [Role.ADMINISTRATOR, Role.MEMBER]
    mine.put_out(ben)
    with pytest.raises(NotFound):
        project.let_in("nobody@example.org", Role.MEMBER)
    with pytest.raises(NotFound):
        project.let_in("", Role.MEMBER)


def test_a_copy_brings_lineage_and_reports_and_no_consent(home: Workspace, people: dict[str, Person]) -> None:
    ann = of(people["ann"])
    project = places.begin_project(people["ann"], "Sea charts")
    model = with_model(home, ann)
    result = home.store.artifact(ann.owner, model)
    with home.store.blobs.writer() as writer:
        writer.write(b"a result")
        blob = writer.commit()
    made = home.store.add_artifact(
        ann.owner, sha256=blob.sha256, size=blob.size, format="onnx", name="made.onnx", parent=model, step=Step("x", {})
    )
    home.store.consent(ann.owner, model)
    home.store.add_report(ann.owner, made.id, "parity", {"of": blob.sha256}, against=model, blobs=[blob.sha256])
    there = ann.copy(made.id, project)
    chain = home.store.lineage(project.owner, there)
    assert [(one.name, one.sha256, one.consented) for one in chain] == [
        (result.name, result.sha256, False),
        ("made.onnx", blob.sha256, False),
    ]
    report = home.store.reports(project.owner, there, "parity")[0]
    assert report.against == chain[0].id
    assert report.blobs == (blob.sha256,)
    assert ann.copy(made.id, project) == there
    assert len(home.store.reports(project.owner, there, "parity")) == 1
    ann.remove(made.id)
    assert home.store.holds(project.owner, blob.sha256)
    assert home.store.sweep(age=-1) >= 0
    assert home.store.blobs.has(blob.sha256)


def test_a_browser_keeps_what_it_had_before_its_person_signed_in(home: Workspace, people: dict[str, Person]) -> None:
    browser = "v" + "1" * 32
    assert len(places.of_person(people["ann"], browser)) == 1
    model = with_model(home, places.anonymous(browser))
    before = of(people["ann"], browser, browser)
    assert before.name == "This browser, before you signed in"
    moved = before.copy(model, of(people["ann"]))
    assert home.store.artifact(people["ann"].id, moved).name == "penguins.skops"
    with pytest.raises(NotFound):
        of(people["ben"], browser, "v" + "2" * 32)


def test_a_link_ends_by_its_date_or_by_its_owner(home: Workspace, people: dict[str, Person]) -> None:
    ann = of(people["ann"])
    model = with_model(home, ann)
    sha256 = home.store.artifact(ann.owner, model).sha256
    for_good = home.store.add_share(ann.owner, model, sha256, "for good")
    for_a_day = home.store.add_share(ann.owner, model, sha256, "for a day", 1)
    over = home.store.add_share(ann.owner, model, sha256, "over", -1)
    assert home.store.share(for_good.id).expires is None
    assert home.store.share(for_a_day.id).title == "for a day"
    with pytest.raises(NotFound):
        home.store.share(over.id)
    home.store.sweep()
    assert {share.title for share in home.store.shares(ann.owner, model)} == {"for good", "for a day"}
    ann.take_back(for_a_day.id)
    with pytest.raises(NotFound):
        home.store.share(for_a_day.id)


def test_links_are_good_for_30_days_where_people_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert signin.share_days() == 0
    for name in (signin.CLIENT, signin.SECRET):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv(signin.ISSUER, "https://id.example")
    assert signin.share_days() == 30
    monkeypatch.setenv("PORTOLAN_SHARE_DAYS", "7")
    assert signin.share_days() == 7


def test_where_people_sign_in_administrators_install(
    home: Workspace,
    people: dict[str, Person],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (signin.CLIENT, signin.SECRET):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv(signin.ISSUER, "https://id.example")
    with pytest.raises(Refused, match="Only an administrator"):
        of(people["ann"]).submit("install", InstallRequest("litert", None))
    with pytest.raises(Refused, match="Only an administrator"):
        places.anonymous("v" + "1" * 32).submit("install", InstallRequest("litert", None))


def test_the_routes_know_places_and_roles(team: Server) -> None:
    with signed_in(team, ANN) as ann, signed_in(team, BEN) as ben, signed_in(team, VIC) as vic:
        assert {client.get("/api/jobs/x").status_code for client in (ann, ben, vic)} == {404}
        store = Store(team.home)
        with store.database.reading() as db:
            ids = {row["subject"]: row["id"] for row in db.query("SELECT * FROM person")}
        project = store.projects.add(ids[str(ANN["sub"])], "Shared").id
        store.projects.let_in(project, str(VIC["email"]), Role.VIEWER)
        job = ann.put(f"/api/models?place={project}&name=a.onnx", content=b"x" * 40).json()["job"]
        address = f"/api/jobs/{job}?place={project}"
        assert ann.get(address).status_code == vic.get(address).status_code == 200
        assert ann.get(f"/api/jobs/{job}").status_code == ben.get(address).status_code == 404
        assert vic.get(f"/api/jobs/{job}?place={ids[str(ANN['sub'])]}").status_code == 404
        for answer in (
            vic.put(f"/api/models?place={project}&name=b.onnx", content=b"x"),
            vic.put(f"/api/data?place={project}&name=b.csv", content=b"x"),
            vic.post(f"/api/jobs/{job}/cancel?place={project}"),
        ):
            assert answer.status_code == 400
            assert "You are a viewer here" in answer.json()["error"]["message"]
        assert ben.put(f"/api/models?place={project}&name=b.onnx", content=b"x").status_code == 404
        assert [deed.who for deed in store.projects.deeds(project)] == ["Ann Arber"]
        store.close()
