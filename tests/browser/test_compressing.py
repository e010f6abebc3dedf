"""What a visitor does to make a model smaller: one technique to a page for others, and a search that is paused."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_journeys import LONG, open_sample
from tests.serving import Server

pytestmark = pytest.mark.browser
SEARCH = 300_000


def begin(page: Page) -> None:
    """Open a sample and lead it to the Compress page, over ONNX."""
    open_sample(page, "fashion_cnn")
    page.get_by_role("link", name="Compress").first.click()
    page.get_by_role("button", name="Convert to ONNX and continue").click(timeout=LONG)
    expect(page.get_by_text("What do you want?")).to_be_visible(timeout=LONG)


def download(page: Page, name: str, folder: Path) -> Path:
    """Follow a download link, unpack what comes and replay its proof."""
    with page.expect_download() as waiting:
        page.get_by_role("link", name=re.compile(name)).first.click()
    bundle = folder / "bundle.zip"
    waiting.value.save_as(bundle)
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder / "bundle")
    replay = subprocess.run([sys.executable, "verify.py"], cwd=folder / "bundle", capture_output=True, text=True)
    assert replay.returncode == 0, replay.stdout + replay.stderr
    return folder / "bundle"


def test_a_technique_its_figures_and_a_page_to_show(
    server: Server, visit: Callable[[str], Page], tmp_path: Path
) -> None:
    page = visit(server.url)
    begin(page)
    page.get_by_text("One technique", exact=True).click()
    expect(page.get_by_role("radio", name="Float16 weights")).to_be_visible(timeout=LONG)
    page.get_by_text("Weight sharing", exact=True).click()
    expect(page.get_by_role("radio", name="Shared weights").first).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Compress and measure").click(timeout=LONG)
    expect(page.get_by_text("NOT PROVEN. The samples are too few")).to_be_visible(timeout=LONG)
    page.reload()
    expect(page.get_by_text("NOT PROVEN. The samples are too few")).to_be_visible(timeout=LONG)
    download(page, "Download, not proven", tmp_path)
    page.get_by_text("Layer by layer").click()
    expect(page.get_by_text("different values")).to_be_visible()
    page.get_by_text("Share this result").click()
    page.get_by_role("button", name="Create the page").click()
    link = page.locator("code", has_text="/show/").first
    expect(link).to_be_visible(timeout=LONG)
    other = visit(link.inner_text())
    expect(other.get_by_text("How this was measured")).to_be_visible()
    assert other.locator("svg").count() >= 4
    assert not other.context.cookies()
    page.get_by_role("button", name="Revoke the link").click()
    expect(page.locator("code", has_text="/show/")).to_have_count(0)
    other.reload()
    expect(other.get_by_text("no longer available")).to_be_visible()


def test_a_search_is_paused_and_its_best_is_taken_away(
    server: Server, visit: Callable[[str], Page], tmp_path: Path
) -> None:
    page = visit(server.url)
    begin(page)
    page.get_by_text("Best trade-off", exact=True).click()
    page.get_by_role("button", name="Search for the best trade-off").click(timeout=LONG)
    expect(page.get_by_role("button", name="Pause")).to_be_visible(timeout=LONG)
    page.reload()
    expect(page.get_by_role("link", name=re.compile("Download the best"))).to_be_visible(timeout=SEARCH)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=LONG)
    download(page, "Download the best", tmp_path)
    page.get_by_text("Sensitivity of each layer").click()
    expect(page.get_by_text("Error of the answers")).to_be_visible()
    cells = page.locator("[data-testid=stVegaLiteChart]").nth(1)
    expect(cells.locator("svg").first).to_be_visible()
    cells.scroll_into_view_if_needed()
    box = cells.bounding_box()
    assert box
    page.get_by_text("Compress again, in another way or with other data").click()
    cells.click(position={"x": box["width"] / 2, "y": box["height"] - 36})
    expect(page.locator("[data-testid=stMultiSelect]").get_by_text(".weight")).to_be_visible()
