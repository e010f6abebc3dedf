"""A running server, a running Chromium, and one new visitor for each test."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import launched
from tests.serving import Server


@pytest.fixture(scope="session")
def server(serve: Callable[..., Server]) -> Server:
    """The server that most journeys share."""
    return serve()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; it ends with these tests, because Playwright keeps an event loop running in this thread."""
    with sync_playwright() as playwright:
        browser = launched(playwright)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[[str], Page]]:
    """Open pages, each as a new visitor; any error that the page's script throws fails the test."""
    contexts = []

    def begin(url: str) -> Page:
        context = chromium.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)
        contexts.append(context)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto(url)
        return page

    yield begin
    for context in contexts:
        context.close()
