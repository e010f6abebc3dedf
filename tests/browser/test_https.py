"""A team's server behind a proxy with a certificate, in Chromium: sign in, work, sign out; nothing forged or old is taken for a sign-in."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.doors.routes import cookies
from tests.browser.test_signing_in import sign_in
from tests.https import secured
from tests.serving import Server, free_port
from tests.signin.conftest import provider, secret  # noqa: F401
from tests.signin.provider import ANN, WRONG, Provider
from tests.signin.test_signin import signed

pytestmark = pytest.mark.browser
Person = Callable[..., Page]
LONG = 30_000
NAME = f"{cookies.PREFIX}{cookies.PERSON}"


@pytest.fixture(scope="module")
def safe(
    serve: Callable[..., Server],
    provider: Provider,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Server, str]]:
    """A server with sign-in, and the https address of the proxy before it."""
    port, outer = free_port(), free_port()
    url = f"https://localhost:{outer}"
    provider.client.redirect_uris.add(f"{url}/oauth2callback")
    settings = {**provider.settings(port), "PORTOLAN_URL": url, "PORTOLAN_PORT": str(port)}
    with secured(outer, port, tmp_path_factory.mktemp("tls")):
        yield serve(**settings), url


@pytest.fixture
def comes(chromium: Browser, safe: tuple[Server, str]) -> Iterator[Person]:
    """Open the page as somebody new, perhaps with a cookie."""
    contexts: list[BrowserContext] = []

    def begin(**sent: str) -> Page:
        context = chromium.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800})
        contexts.append(context)
        context.set_default_timeout(60_000)
        given: Any = [{"name": name, "value": value, "url": safe[1], "secure": True} for name, value in sent.items()]
        context.add_cookies(given)
        page = context.new_page()
        page.goto(safe[1])
        return page

    yield begin
    for context in contexts:
        context.close()


def test_somebody_signs_in_works_and_signs_out(safe: tuple[Server, str], comes: Person) -> None:
    page, sockets = comes(), list[str]()
    page.on("websocket", lambda socket: sockets.append(socket.url))
    sign_in(page, "Ann Arber")
    page.locator(".st-key-sample-penguins button").click()  # a click and its answer travel by the websocket
    expect(page.get_by_role("heading", name="penguins.skops")).to_be_visible(timeout=LONG)
    assert sockets
    assert all(url.startswith(safe[1].replace("https:", "wss:")) for url in sockets)
    given = {one["name"]: one for one in page.context.cookies(safe[1])}
    assert NAME in given
    assert {name for name, one in given.items() if not name.startswith(cookies.PREFIX)} <= {"_streamlit_xsrf"}
    assert {(one["secure"], one["path"], one["domain"]) for one in given.values()} == {(True, "/", "localhost")}
    assert all(one["httpOnly"] for name, one in given.items() if name != "_streamlit_xsrf")
    assert NAME not in page.evaluate("document.cookie")

    page.get_by_role("button", name="Ann Arber").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=LONG)
    assert NAME not in {one["name"] for one in page.context.cookies(safe[1])}
    again = comes(**{NAME: given[NAME]["value"]})
    expect(again.get_by_role("button", name="Sign in")).to_be_visible(timeout=LONG)


def test_forged_and_old_cookies_open_nothing(safe: tuple[Server, str], provider: Provider, comes: Person) -> None:  # noqa: F811
    server, url = safe
    told = {"iss": provider.url, "aud": ["portolan"], "origin": url, "is_logged_in": True, "provider": "default"}
    text = json.dumps({**ANN, "sub": "1004", **told})
    good = signed(secret(server), text)
    expect(comes(**{NAME: good}).get_by_role("heading", name="Add a model")).to_be_visible(timeout=LONG)
    for sent in (
        {NAME: signed("another secret", text)},
        {NAME: signed(secret(server), text, age=12 * 3600 + 60)},
        {cookies.PERSON: good},
    ):
        expect(comes(**sent).get_by_role("button", name="Sign in")).to_be_visible(timeout=LONG)


def test_a_wrong_token_of_the_provider_signs_nobody_in(
    safe: tuple[Server, str],
    provider: Provider,  # noqa: F811
    comes: Person,
) -> None:
    page = comes()
    for kind in ("signed by another key", "expired"):
        page.goto(safe[1])
        with provider.up_to(**WRONG[kind](provider)):
            page.get_by_role("button", name="Sign in").click()
            page.get_by_role("button", name="Ann Arber").click()
            expect(page.get_by_text("You were not signed in")).to_be_visible(timeout=LONG)
        assert NAME not in {one["name"] for one in page.context.cookies(safe[1])}
