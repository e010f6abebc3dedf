"""A team's server in Chromium: sign in at a real provider, see one's own library and nobody else's, sign out."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.serving import Server
from tests.signin.conftest import home, provider, team  # noqa: F401

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]


def sign_in(page: Page, name: str) -> None:
    """Go through the door as somebody the provider knows."""
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=name).click()
    expect(page.get_by_role("heading", name="Add a model")).to_be_visible()


def test_two_people_sign_in_see_their_own_and_leave(team: Server, visit: Visit) -> None:  # noqa: F811
    ann = visit(home(team))
    expect(ann.get_by_text("Sign in to see your library")).to_be_visible()
    expect(ann.get_by_text("Your models")).to_have_count(0)
    sign_in(ann, "Ann Arber")
    ann.get_by_role("button", name="Try this sample").first.click()
    expect(ann.get_by_role("button", name="Convert this model")).to_be_visible()
    model = ann.url

    ben = visit(home(team))
    sign_in(ben, "Ben *Bold*")
    expect(ben.get_by_text("No models yet")).to_be_visible()
    ben.goto(model)
    expect(ben.get_by_text("There is no such model in your library")).to_be_visible()

    elsewhere = visit(home(team))
    sign_in(elsewhere, "Ann Arber")
    elsewhere.goto(model)
    expect(elsewhere.get_by_role("button", name="Convert this model")).to_be_visible()

    ann.get_by_role("button", name="Ann Arber").click()
    expect(ann.get_by_text("example.org")).to_be_visible()
    ann.wait_for_timeout(1000)
    ann.get_by_role("button", name="Sign out").click()
    expect(ann.get_by_role("button", name="Sign in")).to_be_visible()
    ann.goto(model)
    expect(ann.get_by_role("button", name="Sign in")).to_be_visible()
    expect(ann.get_by_role("button", name="Convert this model")).to_have_count(0)

    elsewhere.get_by_role("button", name="Convert this model").click()
    expect(elsewhere.get_by_role("button", name="Sign in")).to_be_visible()
    expect(ben.get_by_role("button", name="Ben *Bold*")).to_be_visible()


def test_at_another_address_the_door_leads_to_the_right_one(team: Server, visit: Visit) -> None:  # noqa: F811
    page = visit(team.url)
    with page.expect_popup() as opened:
        page.get_by_role("link", name=f"Sign in at localhost:{team.port}").click()
    expect(opened.value.get_by_role("button", name="Sign in")).to_be_visible()
    assert opened.value.url.startswith(home(team))
