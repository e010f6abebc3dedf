"""What a visitor does to move a model: assess, export, read the code, test, serve, ask, load, stop."""

import json
import re
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_journeys import LONG, open_sample
from tests.serving import Server

pytestmark = pytest.mark.browser


def step(page: Page, name: str) -> None:
    """Go to one of the five steps."""
    page.get_by_role("radio", name=re.compile(name)).click(timeout=LONG)


def test_a_model_is_moved_in_five_steps_and_served(
    server: Server, visit: Callable[[str], Page], tmp_path: Path
) -> None:
    page = visit(server.url)
    open_sample(page, "penguins")
    page.get_by_role("link", name="Migrate").first.click()
    page.get_by_role("button", name="Assess").click(timeout=LONG)
    expect(page.get_by_text("Targets that take all of it")).to_be_visible(timeout=LONG)
    step(page, "2 Export")
    page.get_by_role("button", name="Export and prove").click(timeout=LONG)
    expect(page.get_by_text("PASS. Both files give the same answers.")).to_be_visible(timeout=LONG)
    step(page, "3 Adapt")
    expect(page.get_by_text("A Python package that checks inputs")).to_be_visible(timeout=LONG)
    step(page, "4 Test")
    page.get_by_role("button", name="Test the package").click(timeout=LONG)
    expect(page.get_by_text("PASS. Ready for ONNX Runtime.")).to_be_visible(timeout=LONG)
    page.reload()
    expect(page.get_by_text("PASS. Ready for ONNX Runtime.")).to_be_visible(timeout=LONG)
    with page.expect_download() as waiting:
        page.get_by_role("link", name=re.compile("Download the package")).click()
    waiting.value.save_as(tmp_path / "package.zip")
    step(page, "5 Deploy")
    page.get_by_role("button", name="Start the server").click(timeout=LONG)
    expect(page.get_by_text("ready", exact=True)).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("200", exact=True)).to_be_visible(timeout=LONG)
    address = address_of(page)
    with zipfile.ZipFile(tmp_path / "package.zip") as archive:
        body, name = archive.read("example.json"), json.loads(archive.read("signature.json"))["model"]
    with urllib.request.urlopen(f"{address}/v2/models/{name}/infer", body) as answer:
        assert json.load(answer)["outputs"][0]["name"] == "label"
    page.get_by_role("button", name="Open an address that stays").click()
    expect(page.get_by_text("Requests to this address appear here")).to_be_visible(timeout=LONG)
    page.get_by_role("tab", name="curl").click()
    stays = re.findall(r"http://\S+", page.locator("code", has_text="curl").first.inner_text())[0]
    assert not stays.startswith(address)
    with urllib.request.urlopen(stays, body) as answer:
        assert answer.headers["x-served-by"] == "champion"
    expect(page.get_by_text("Requests to this address appear here")).to_be_hidden(timeout=LONG)
    page.get_by_role("spinbutton", name="Seconds").fill("1")
    page.get_by_role("button", name="Measure").click()
    expect(page.get_by_text("50 of 50 requests answered")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("No server runs")).to_be_visible(timeout=LONG)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{address}/v2/health/live", timeout=5)


def address_of(page: Page) -> str:
    """Return where the page says that the server answers."""
    port = page.get_by_text(re.compile(r"^:\d+$")).first.inner_text()
    return f"http://127.0.0.1{port}"
