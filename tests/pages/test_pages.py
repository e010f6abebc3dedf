"""The pages through the frame: empty, with a model, with a foreign or broken address."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import workspace
from core.samples import sample
from core.workspace import Workspace

FRAME = str(Path(__file__).parent.parent.parent / "pages" / "frame.py")
VISITOR = "v" + "0" * 32


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace of this test's own."""
    monkeypatch.setenv("PORTOLAN_HOME", str(tmp_path))
    yield workspace.current()
    workspace.close_current()


def opened(page: str = "models.py", **query: str) -> AppTest:
    """Open one page through the frame as our visitor."""
    app = AppTest.from_file(FRAME, default_timeout=30)
    app.session_state["visitor"] = VISITOR
    app.run()
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(page).run()
    assert not app.exception, app.exception
    return app


def words(app: AppTest) -> str:
    """Return all Markdown and captions of a page."""
    return "\n".join(str(one.value) for one in [*app.title, *app.subheader, *app.markdown, *app.caption, *app.warning])


def bring(home: Workspace, id: str) -> str:
    """Bring a sample to the visitor's library, and return the artifact's id."""
    found = sample(id)
    assert found
    job = workspace.open_sample(home, VISITOR, found)
    result = home.queue.wait(VISITOR, job.id, 60).result
    assert result
    return str(result["artifact_id"])


def test_models_page_offers_every_sample_with_its_accuracy(home: Workspace) -> None:
    text = words(opened())
    assert "No models yet" in text
    assert text.count("% right (") == 4


def test_convert_page_without_a_model_says_where_to_begin(home: Workspace) -> None:
    assert "No model to convert yet" in words(opened("convert.py"))


def test_detail_shows_what_is_in_the_model(home: Workspace) -> None:
    app = opened(model=bring(home, "penguins"))
    assert {metric.label for metric in app.metric} >= {"Size", "Parameters", "Precision", "Operators"}
    assert not app.warning


def test_convert_page_offers_the_targets_of_the_format(home: Workspace) -> None:
    app = opened("convert.py", model=bring(home, "penguins"))
    assert any(button.label == "Convert and prove" for button in app.button)


def test_foreign_model_is_not_found(home: Workspace) -> None:
    artifact = bring(home, "penguins")
    app = AppTest.from_file(FRAME, default_timeout=30)
    app.session_state["visitor"] = "v" + "1" * 32
    app.query_params["model"] = artifact
    app.run()
    assert "There is no such model" in words(app)


@pytest.mark.parametrize("job", ["x", "../../etc/passwd", "' OR 1=1 --"])
def test_unknown_job_in_the_address_is_dropped(home: Workspace, job: str) -> None:
    assert "Bring a model" in words(opened(job=job))


def test_hostile_name_is_inert_text(home: Workspace) -> None:
    blob = home.store.blobs.put(sample("penguins").model)  # type: ignore[union-attr]
    name = "![x](http://evil.example/i.png)<script>alert(1)</script>.skops"
    job = home.queue.submit(VISITOR, "ingest", {"sha256": blob.sha256, "size": blob.size, "name": name})
    result = home.queue.wait(VISITOR, job.id, 60).result
    assert result
    text = words(opened(model=str(result["artifact_id"])))
    assert "](http" not in text.replace("\\", "\0")
