"""Pages drawn through the frame, and what they say in words; a visitor, and samples in their library."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from core.doors.samples import sample
from core.doors.workspace import Workspace, open_sample

VISITOR = "v" + "0" * 32
FRAME = str(Path(__file__).parents[2] / "pages" / "frame.py")


def opened(page: str = "models.py", visitor: str = VISITOR, **query: str) -> AppTest:
    """Open one page as a visitor, ours unless another is named; what it raised fails the test."""
    app = AppTest.from_file(FRAME, default_timeout=60)
    app.session_state["visitor"] = visitor
    app.run()
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(page).run()
    assert not app.exception, app.exception
    return app


def bring(home: Workspace, id: str) -> str:
    """Bring a sample to our visitor's library, and return the artifact's id."""
    found = sample(id)
    assert found
    made = home.queue.wait(VISITOR, open_sample(home, VISITOR, found).id, 60).made
    assert made
    return made


def words(app: AppTest) -> str:
    """Return all that a page says in words."""
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.success, app.warning, app.error)
    return "\n".join([*(str(one.value) for kind in kinds for one in kind), *(one.label for one in app.expander)])
