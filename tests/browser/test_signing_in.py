"""A team's server in Chromium: sign in at a real provider, see one's own library and nobody else's, sign out."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.serving import Server, free_port
from tests.signin.conftest import home, provider, team  # noqa: F401
from tests.signin.provider import Provider

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]
LONG = 30_000


def sign_in(page: Page, name: str) -> None:
    """Go through the door as somebody the provider knows."""
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=name).click()
    expect(page.get_by_role("heading", name="Add a model")).to_be_visible(timeout=LONG)


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


def test_a_project_is_shared_with_a_viewer_who_cannot_delete(team: Server, visit: Visit) -> None:  # noqa: F811
    vic = visit(home(team))
    sign_in(vic, "Vic Viewer")

    ann = visit(home(team))
    sign_in(ann, "Ann Arber")
    ann.get_by_role("link", name="Projects").click()
    ann.get_by_role("textbox", name="Name of a new project").fill("Sea charts")
    ann.get_by_role("button", name="Create a project").click()
    expect(ann.get_by_role("heading", name="Sea charts")).to_be_visible()
    ann.get_by_role("textbox", name="E-mail address").fill("vic@example.org")
    ann.get_by_role("radio", name="viewer").click()
    ann.get_by_role("button", name="Add to the project").click()
    expect(ann.get_by_text("Vic Viewer")).to_be_visible()
    ann.get_by_role("link", name="Models").click()
    expect(ann.get_by_role("heading", name="Models of Sea charts")).to_be_visible()
    ann.locator(".st-key-sample-penguins button").click()
    expect(ann.get_by_role("button", name="Remove from library")).to_be_visible()
    model = ann.url
    assert "place=g" in model

    vic.goto(model.partition("&place=")[0])
    expect(vic.get_by_role("heading", name="penguins.skops")).to_be_visible()
    expect(vic.get_by_text("You are a viewer here")).to_be_visible()
    expect(vic.get_by_role("button", name="Remove from library")).to_have_count(0)
    vic.get_by_role("button", name="Convert this model").click()
    vic.get_by_role("button", name="Convert and prove").click()
    expect(vic.get_by_text("this needs a member")).to_be_visible()
    vic.get_by_role("link", name="Projects").click()
    vic.get_by_role("tab", name="History").click()
    expect(vic.get_by_role("button", name="Add to the project")).to_have_count(0)
    expect(vic.get_by_role("button", name="Remove", exact=True)).to_have_count(0)

    ann.get_by_role("link", name="Projects").click()
    ann.get_by_role("button", name="Remove", exact=True).click()
    expect(ann.get_by_text("Vic Viewer")).to_have_count(0)
    vic.goto(model)
    expect(vic.get_by_text("There is no such model in your library")).to_be_visible()


def test_an_administrator_sees_who_has_what_and_a_person_deletes_all_of_theirs(team: Server, visit: Visit) -> None:  # noqa: F811
    ben = visit(home(team))
    sign_in(ben, "Ben *Bold*")
    ben.locator(".st-key-sample-penguins button").click()
    expect(ben.get_by_role("button", name="Remove from library")).to_be_visible()
    expect(ben.get_by_role("link", name="Administration")).to_have_count(0)

    ann = visit(home(team))
    sign_in(ann, "Ann Arber")
    ann.get_by_role("link", name="Administration").click()
    ann.get_by_role("tab", name="Visitors").click()
    ann.get_by_role("button", name="Delete everything of a visitor").click()
    ann.get_by_role("combobox", name="Visitor").click()
    expect(ann.get_by_role("option", name="Ben *Bold* · ben@example.org")).to_be_visible()

    ben.goto(home(team))
    ben.get_by_role("button", name="Delete all of mine").click()
    expect(ben.get_by_role("button", name="Delete everything")).to_be_disabled()
    ben.get_by_text("I understand that this cannot be undone.").click()
    ben.wait_for_timeout(1000)
    ben.get_by_role("button", name="Delete everything").click()
    expect(ben.get_by_role("button", name="Sign in")).to_be_visible()
    sign_in(ben, "Ben *Bold*")
    expect(ben.get_by_text("No models yet")).to_be_visible()


def choose(page: Page, box: str, option: str) -> None:
    """Choose in a list; the one chosen before stands in it."""
    page.get_by_role("combobox", name=box).click()
    page.get_by_role("option", name=option).click()


def test_an_administrator_allows_holds_and_installs(
    serve: Callable[..., Server],
    visit: Visit,
    provider: Provider,  # noqa: F811
) -> None:
    port = free_port()
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    settings = {**provider.settings(port), **offline, "PORTOLAN_ADMINISTRATORS": "ann@example.org"}
    server = serve(PORTOLAN_PORT=str(port), **settings)
    ben = visit(home(server))
    sign_in(ben, "Ben *Bold*")
    ben.locator(".st-key-sample-penguins button").click()
    expect(ben.get_by_role("heading", name="penguins.skops")).to_be_visible(timeout=LONG)

    ann = visit(home(server))
    sign_in(ann, "Ann Arber")
    ann.get_by_role("link", name="Administration").click()
    ann.get_by_role("tab", name="Visitors").click()
    ann.get_by_role("button", name="Change what somebody may use").click()
    choose(ann, "Who", "Ben *Bold*")
    ann.get_by_label("Processor minutes a day").fill("0")
    ann.get_by_role("button", name="Save").click()
    ann.wait_for_timeout(1500)
    ben.goto(home(server))
    ben.locator(".st-key-sample-segment button").click()
    expect(ben.get_by_text("You have used your 0 processor minutes of today.")).to_be_visible(timeout=LONG)

    ann.goto(home(server) + "/administration")
    ann.get_by_role("tab", name="Holds").click()
    ann.get_by_role("button", name="Put on hold").click()
    choose(ann, "Whose", "Ben *Bold*")
    choose(ann, "What", "penguins.skops")
    ann.get_by_role("textbox", name="Reason").fill("case 4711")
    ann.get_by_role("button", name="Put on hold").last.click()
    expect(ann.get_by_text("case 4711")).to_be_visible(timeout=LONG)
    ben.goto(home(server))
    ben.get_by_role("link", name="Open").click()
    expect(ben.get_by_text("This model is on hold since")).to_be_visible(timeout=LONG)
    ben.get_by_role("button", name="Remove from library").click()
    ben.get_by_role("button", name="Remove", exact=True).press("Enter")
    expect(ben.get_by_text("Nothing of it can be deleted. An administrator of this server can lift")).to_be_visible(
        timeout=LONG
    )
    expect(ben.get_by_text("case 4711")).to_have_count(0, timeout=LONG)

    ann.goto(home(server) + "/administration")
    ann.get_by_role("tab", name="Holds").click()
    ann.get_by_role("button", name="Lift").click()
    expect(ann.get_by_text("case 4711")).to_have_count(0, timeout=LONG)
    ben.goto(home(server))
    ben.get_by_role("link", name="Open").click()
    expect(ben.get_by_role("heading", name="penguins.skops")).to_be_visible(timeout=LONG)
    expect(ben.get_by_text("on hold since")).to_have_count(0, timeout=LONG)

    ann.get_by_role("tab", name="Optional groups").click()
    ann.get_by_role("button", name="Install LiteRT Torch").click()
    expect(ann.get_by_text("pip could not install LiteRT Torch")).to_be_visible(timeout=LONG)
    expect(ann.get_by_role("button", name="Install LiteRT Torch")).to_be_visible(timeout=LONG)
    server.stop()
