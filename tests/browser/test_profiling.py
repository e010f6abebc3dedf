"""What a visitor does to see what a model costs: its page, a click, three figures, where the time goes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_journeys import FASHION, LONG
from tests.serving import Server

pytestmark = pytest.mark.browser


def test_a_model_shows_its_three_figures_and_where_its_time_goes(server: Server, visit: Callable[[str], Page]) -> None:
    page = visit(server.url)
    page.locator("input[type=file]").first.set_input_files(FASHION / "model.onnx")
    page.get_by_role("button", name="Profile this model").click(timeout=LONG)
    page.get_by_role("button", name="Profile", exact=True).click(timeout=LONG)
    expect(page.get_by_role("button", name="Cancel")).to_be_visible(timeout=LONG)
    page.reload()
    for name in ("Time of a call", "Peak memory", "Time to the first answer"):
        expect(page.get_by_text(name, exact=True)).to_be_visible(timeout=LONG)
    page.get_by_role("tab", name="Operators").click()
    expect(page.get_by_text("Time by kind of operator")).to_be_visible()
    expect(page.locator("[data-testid=stVegaLiteChart] svg").first).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download the trace").click()
    assert waiting.value.suggested_filename == "trace.json"
    page.get_by_text("How this was measured").click()
    expect(page.get_by_text("python -m core profile model.onnx --batch 1 --threads 1 --json")).to_be_visible()
