"""The door on the page: shut where people sign in, open beside it where anybody may come in, and not there on one's own machine."""

import pytest

from core.doors import signin
from core.doors.workspace import Workspace
from tests.pages.showing import opened, words


def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a provider, which nothing here asks."""
    for name, value in ((signin.ISSUER, "https://id.example"), (signin.CLIENT, "c"), (signin.SECRET, "s")):
        monkeypatch.setenv(name, value)


def buttons(page: str) -> list[str]:
    """Return the labels of a page's buttons."""
    return [button.label for button in opened(page).button]


@pytest.mark.parametrize("page", ["models.py", "convert.py", "compress.py"])
def test_where_people_sign_in_no_page_is_drawn_without(
    home: Workspace, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    configured(monkeypatch)
    assert buttons(page) == ["Sign in"]
    assert "Sign in to see your library" in words(opened(page))


def test_anonymous_visitors_work_beside_people_who_sign_in(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch)
    monkeypatch.setenv("PORTOLAN_ANONYMOUS", "1")
    found = buttons("models.py")
    assert "Sign in" in found
    assert "Try this sample" in found


def test_ones_own_machine_has_no_door(home: Workspace) -> None:
    found = buttons("models.py")
    assert "Try this sample" in found
    assert "Sign in" not in found


def test_why_a_sign_in_did_not_work_is_said(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(monkeypatch)
    assert "You were not signed in" in words(opened("models.py", **{"sign-in-failed": "1"}))
