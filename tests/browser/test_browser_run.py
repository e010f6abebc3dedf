"""The converted file in the visitor's own browser: beside the recorded answers, timed, kept; and as a page without a server."""

import json
import re
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_journeys import LONG, convert, open_sample
from tests.serving import Server

pytestmark = pytest.mark.browser

GONE = {"error": {"message": "This link has expired.", "next_step": "Reload the page for a fresh one."}}
VERDICT = re.compile(r"(PASS|FAIL|NOT PROVEN) in this browser\.")


def outside(page: Page, own: tuple[str, ...]) -> list[str]:
    """Return the list that fills with the addresses which the page asks for beyond its own."""
    asked: list[str] = []
    page.on("request", lambda request: None if request.url.startswith(own) else asked.append(request.url))
    return asked


def runs(server: Server) -> list[dict[str, object]]:
    """Return the kept results, newest last."""
    with sqlite3.connect(server.home / "portolan.db") as database:
        rows = database.execute("SELECT value FROM report WHERE kind = 'browser' ORDER BY created")
        return [json.loads(value) for (value,) in rows]


def test_a_sample_runs_in_the_visitors_browser_and_the_result_is_kept(
    serve: Callable[..., Server], visit: Callable[[str], Page]
) -> None:
    server = serve()
    page = visit(server.url)
    asked = outside(page, (server.url, "blob:", "data:", server.url.replace("http", "ws")))
    open_sample(page, "penguins")
    convert(page, "onnx")
    button = page.get_by_role("button", name="Run in this browser")
    page.route("**/files/**", lambda route: route.fulfill(status=410, json=GONE))
    button.click(timeout=LONG)
    expect(page.get_by_text("This link has expired. Reload the page for a fresh one.")).to_be_visible(timeout=LONG)
    page.unroute("**/files/**")
    button.click()
    expect(page.get_by_text(VERDICT)).to_contain_text("PASS in this browser.", timeout=LONG)
    for label in ("p50 latency", "p90 latency", "p99 latency"):
        expect(page.get_by_text(label, exact=True)).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile(r"100 runs after 5 to warm up, batch 1, one thread"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"onnxruntime-web 1\.30\.0 · Mozilla"))).to_be_visible()
    (kept,) = runs(server)
    assert kept["max_abs"] < 1e-5  # type: ignore[operator]
    assert kept["flips"]["k"] == 0  # type: ignore[index]
    assert kept["cases"] == kept["recorded"]
    assert asked == []
    page.reload()
    expect(page.get_by_text(VERDICT)).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Run it again")).to_be_visible(timeout=LONG)


def test_a_web_package_works_from_a_folder_without_any_network(
    server: Server, visit: Callable[[str], Page], chromium: Browser, tmp_path: Path
) -> None:
    page = visit(server.url)
    open_sample(page, "fashion_cnn")
    convert(page, "web_package")
    expect(page.get_by_text("PASS. Both files give the same answers.")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Other downloads").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name=re.compile("Model only")).click()
    package = tmp_path / "package.zip"
    waiting.value.save_as(package)
    assert zipfile.is_zipfile(package), (waiting.value.url, package.stat().st_size, package.read_bytes()[-200:])
    with zipfile.ZipFile(tmp_path / "package.zip") as archive:
        archive.extractall(tmp_path / "web")
    context = chromium.new_context(offline=True)
    alone = context.new_page()
    asked = outside(alone, ("file:", "blob:", "data:"))
    errors: list[object] = []
    alone.on("pageerror", lambda error: errors.append(error))
    alone.goto((tmp_path / "web" / "index.html").as_uri())
    alone.get_by_role("button", name="Run", exact=True).click(timeout=LONG)
    expect(alone.locator("#outputs tbody tr")).to_have_count(5, timeout=LONG)
    alone.locator("input[type=file]").set_input_files(Path("pages/static/portolan.png").resolve())
    alone.get_by_role("button", name="Run", exact=True).click()
    expect(alone.locator("#outputs tbody tr")).to_have_count(5)
    alone.get_by_role("button", name="Compare with the recorded answers").click()
    expect(alone.locator("#verdict .figure")).to_have_text(
        "PASS. The browser gives the recorded answers.", timeout=LONG
    )
    expect(alone.get_by_text(re.compile(r"1,0\d\d samples; 0 of 10\d\d predictions changed"))).to_be_visible()
    expect(alone.get_by_text(re.compile(r"p50 .* ms, p90 .* ms, p99 .* ms \(100 runs"))).to_be_visible()
    assert (asked, errors) == ([], [])
    context.close()
