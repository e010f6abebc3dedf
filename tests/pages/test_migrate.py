"""The Migrate page: empty, with a model, and after its steps."""

from pathlib import Path

import pytest

from core.domain.assessment import AssessRequest, Effort, Known
from core.domain.canary import Terms
from core.domain.errors import NotFound, Refused
from core.domain.groups import GROUPS
from core.domain.job import Job, State
from core.domain.migration import MigrateRequest
from core.domain.work import Subject
from core.doors.places import anonymous
from core.doors.workspace import Workspace
from core.sandbox.watched import Standing
from core.targets import TARGETS
from core.verbs import exporting
from tests.pages.showing import VISITOR, bring, opened, words

PAGE = "migrate.py"


def test_without_a_model_it_says_where_to_begin(home: Workspace) -> None:
    assert "No model to migrate yet" in words(opened(PAGE))


def test_each_step_finds_what_those_before_it_left(home: Workspace) -> None:
    artifact = home.store.artifact(VISITOR, bring(home, "penguins"))
    subject = Subject.of(artifact)

    def done(verb: str, request: object) -> Job:
        job = home.queue.wait(VISITOR, home.queue.submit(VISITOR, verb, request).id, 120)
        assert job.state is State.DONE
        return job

    def shown(**query: str) -> str:
        return words(opened(PAGE, model=artifact.id, **query))

    export = exporting.request(subject, TARGETS["triton"], None, None, None)
    done("convert", export)
    assert "PASS. Both files" in shown(step="convert", target="triton")
    assert "The proof appears here" in shown(step="convert", target="openvino")
    assert "A Python package that checks inputs" in shown(step="adapt")
    assert "No code is written" in shown(step="adapt", target="openvino")
    assert "Test the package first" in shown(step="load")

    job = done("migrate", MigrateRequest(subject, "triton"))
    assert job.result.export == home.queue.submit(VISITOR, "convert", export).request
    page = shown(step="migrate", target="triton")
    assert "NOT PROVEN" in page
    assert "Triton itself was not run" in page
    assert "Ready for" not in page

    assert job.result.bundle is not None
    server = anonymous(VISITOR).serve(job.result.bundle.sha256, "penguins", artifact.id)
    pid = server.pid
    assert "Start a second package" in shown(step="load", target="triton")
    twin = anonymous(VISITOR).serve(job.result.bundle.sha256, "the twin", artifact.id)
    assert "takes over by itself" in shown(step="load", target="triton")
    alias = anonymous(VISITOR).try_beside(server.id, twin.id, Terms())
    assert "No request was compared yet." in shown(step="load", target="triton")
    assert "Test the package with test data" in shown(step="load", target="triton")
    anonymous(VISITOR).promote(alias.id)
    assert "promoted by hand" in shown(step="load", target="triton")
    anonymous(VISITOR).roll_back(alias.id)
    assert (alias.champion, alias.took is not None) == (server, True)
    with pytest.raises(NotFound):
        anonymous("v" + "1" * 32).roll_back(alias.id)
    anonymous(VISITOR).give_up(alias.id)
    anonymous(VISITOR).silence(twin.id)

    found = {one.target: one for one in done("assess", AssessRequest(subject)).result.prospects}
    assert (found["triton"].fit.known, found["triton"].effort) == (Known.RAN, Effort.SMALL)
    assert found["openvino"].fit.known is not Known.RAN
    assert found["litert"].blocked or GROUPS["litert"].installed()
    page = shown()
    assert "small effort" in page
    assert "ran here" in page

    assert home.sandbox.servers.of(VISITOR) == [server]
    for one in (*home.store.children(VISITOR, artifact.id), artifact):
        anonymous(VISITOR).remove(one.id)
    assert home.sandbox.servers.of(VISITOR) == []
    assert server.standing is Standing.STOPPED
    assert not Path(f"/proc/{pid}").exists()


def test_a_server_for_strangers_serves_nothing(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTOLAN_HOSTS", "models.example.org")
    with pytest.raises(Refused, match="nobody signs in"):
        anonymous(VISITOR).serve("0" * 64, "anything", "none")
    monkeypatch.delenv("PORTOLAN_HOSTS")
    with pytest.raises(NotFound):
        anonymous(VISITOR).serve("0" * 64, "anything", "none")
