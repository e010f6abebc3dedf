"""Pages drawn through the frame, and what they say in words."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

FRAME = str(Path(__file__).parents[2] / "pages" / "frame.py")


def opened(page: str, visitor: str, **query: str) -> AppTest:
    """Open one page as a visitor; what it raised fails the test."""
    app = AppTest.from_file(FRAME, default_timeout=60)
    app.session_state["visitor"] = visitor
    app.run()
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(page).run()
    assert not app.exception, app.exception
    return app


def words(app: AppTest) -> str:
    """Return all that a page says in words."""
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.success, app.warning, app.error)
    return "\n".join(str(one.value) for kind in kinds for one in kind)
