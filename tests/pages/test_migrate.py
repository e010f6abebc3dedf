"""The Migrate page: empty, with a model, and after its steps."""

from core.domain.assessment import AssessRequest, Effort, Known
from core.domain.groups import GROUPS
from core.domain.job import State
from core.domain.work import Subject
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
