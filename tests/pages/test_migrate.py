"""The Migrate page: empty, with a model, and after its steps."""

import pytest

from core.domain.assessment import AssessRequest, Effort, Known
from core.domain.errors import NotFound, Refused
from core.domain.groups import GROUPS
from core.domain.job import State
from core.domain.migration import MigrateRequest
from core.domain.work import Subject
from core.doors.places import anonymous
from core.doors.workspace import Workspace
from core.targets import TARGETS
from core.verbs import exporting
from tests.pages.showing import VISITOR, bring, opened, words

PAGE = "migrate.py"


def test_without_a_model_it_says_where_to_begin(home: Workspace) -> None:
    assert "No model to migrate yet" in words(opened(PAGE))


def test_an_export_that_was_proven_is_how_a_target_is_known(home: Workspace) -> None:
    artifact = home.store.artifact(VISITOR, bring(home, "penguins"))
    subject = Subject.of(artifact)
    export = exporting.request(subject, TARGETS["triton"], None, None, None)
    assert home.queue.wait(VISITOR, home.queue.submit(VISITOR, "convert", export).id, 120).state is State.DONE
    asked = home.queue.submit(VISITOR, "assess", AssessRequest(subject))
    job = home.queue.wait(VISITOR, asked.id, 120)
    assert job.state is State.DONE
    found = {one.target: one for one in job.result.prospects}
    assert (found["triton"].fit.known, found["triton"].effort) == (Known.RAN, Effort.SMALL)
    assert found["openvino"].fit.known is not Known.RAN
    assert found["litert"].blocked or GROUPS["litert"].installed()
    assert home.store.reports(VISITOR, artifact.id, "assessment")
    page = words(opened(PAGE, model=artifact.id))
    assert "small effort" in page
    assert "ran here" in page
    assert "The proof appears here" in words(opened(PAGE, model=artifact.id, step="convert", target="openvino"))
    assert "PASS. Both files" in words(opened(PAGE, model=artifact.id, step="convert", target="triton"))
    assert "A Python package that checks inputs" in words(opened(PAGE, model=artifact.id, step="adapt"))
    assert "No code is written" in words(opened(PAGE, model=artifact.id, step="adapt", target="openvino"))
    assert "The sign-off appears here" in words(opened(PAGE, model=artifact.id, step="migrate"))
    assert "Test the package first" in words(opened(PAGE, model=artifact.id, step="load"))


def test_what_was_not_run_here_is_no_pass(home: Workspace) -> None:
    artifact = home.store.artifact(VISITOR, bring(home, "penguins"))
    asked = home.queue.submit(VISITOR, "migrate", MigrateRequest(Subject.of(artifact), "triton"))
    job = home.queue.wait(VISITOR, asked.id, 120)
    assert job.state is State.DONE
    assert home.queue.submit(VISITOR, "convert", job.result.export).attempt == 0
    page = words(opened(PAGE, model=artifact.id, step="migrate", target="triton"))
    assert "NOT PROVEN" in page
    assert "Triton itself was not run" in page
    assert "Ready for" not in page


def test_a_server_for_strangers_serves_nothing(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTOLAN_HOSTS", "models.example.org")
    with pytest.raises(Refused, match="nobody signs in"):
        anonymous(VISITOR).serve("0" * 64, "anything")
    monkeypatch.delenv("PORTOLAN_HOSTS")
    with pytest.raises(NotFound):
        anonymous(VISITOR).serve("0" * 64, "anything")
