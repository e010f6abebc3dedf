"""A journey through a reverse proxy that serves Portolan below a path."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_journeys import FASHION, LONG, convert, open_sample
from tests.proxying import proxied
from tests.serving import Server

pytestmark = pytest.mark.browser


def test_sample_graph_proof_download_and_upload_below_a_path(
    serve: Callable[..., Server], visit: Callable[[str], Page], tmp_path: Path
) -> None:
    server = serve(PORTOLAN_BASE_PATH="/portolan")
    with proxied(server.port, "/portolan") as proxy:
        page = visit(f"{proxy.url}/")
        open_sample(page, "fashion_cnn")
        page.get_by_role("tab", name="Graph").click()
        expect(page.frame_locator("iframe[src*='/netron/']").locator("g.node").first).to_be_attached(timeout=LONG)
        convert(page, "onnx")
        expect(page.get_by_text("PASS. Both files give the same answers.")).to_be_visible(timeout=LONG)
        assert "/portolan/convert?" in page.url
        with page.expect_download() as waiting:
            page.get_by_role("link", name=re.compile("Download with evidence")).click()
        waiting.value.save_as(tmp_path / "bundle.zip")
        assert zipfile.ZipFile(tmp_path / "bundle.zip").testzip() is None
        page.reload()  # a deep link
        expect(page.get_by_text("PASS. Both files give the same answers.")).to_be_visible(timeout=LONG)
        page.goto(f"{proxy.url}/")
        page.locator("input[type=file]").first.set_input_files(FASHION / "model.onnx")
        expect(page.get_by_role("heading", name="model.onnx")).to_be_visible(timeout=LONG)
        assert set(proxy.elsewhere) <= {"/favicon.ico"}
    server.stop()
