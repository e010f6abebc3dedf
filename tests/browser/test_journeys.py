"""What a visitor does, from the first click to the verified download."""

import json
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from playwright.sync_api import Page, expect
from safetensors.torch import save_file

from tests.serving import ROOT, Server

pytestmark = pytest.mark.browser

FASHION = ROOT / "sample_models" / "fashion_cnn"
LONG = 120_000


def open_sample(page: Page, sample: str) -> None:
    """Press a sample and wait for its page."""
    page.locator(f".st-key-sample-{sample} button").click(timeout=LONG)
    expect(page.get_by_text("Parameters", exact=True)).to_be_visible(timeout=LONG)


def convert(page: Page, target: str) -> None:
    """Go from a model's page to its proof."""
    page.get_by_role("button", name="Convert this model").click()
    expect(page.get_by_role("heading", name="Convert", exact=True)).to_be_visible()
    page.locator(f".st-key-matrix-{target} button").first.click()
    page.get_by_role("button", name="Convert and prove").click()


@pytest.fixture(scope="session")
def clean_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what a bundle's requirements name, and nothing else of ours."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


def test_sample_to_verified_download(
    server: Server, visit: Callable[[str], Page], tmp_path: Path, clean_python: Path
) -> None:
    page = visit(server.url)
    open_sample(page, "fashion_cnn")
    page.get_by_role("tab", name="Graph").click()
    viewer = page.frame_locator("iframe[src*='/netron/']")
    expect(viewer.locator("g.node").first).to_be_attached(timeout=LONG)
    assert viewer.locator("g.node").count() >= 8
    convert(page, "onnx")
    expect(page.get_by_text("PASS. Both files give the same answers.")).to_be_visible(timeout=LONG)
    with page.expect_download() as waiting:
        page.get_by_role("link", name=re.compile("Download with evidence")).click()
    bundle = tmp_path / "bundle.zip"
    waiting.value.save_as(bundle)
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "bundle")
    install = [clean_python, "-m", "pip", "install", "-q", "-r", "requirements.txt"]
    subprocess.run(install, cwd=tmp_path / "bundle", check=True, capture_output=True)
    replay = subprocess.run([clean_python, "verify.py"], cwd=tmp_path / "bundle", capture_output=True, text=True)
    assert replay.returncode == 0, replay.stdout + replay.stderr
    assert json.loads((tmp_path / "bundle" / "card.json").read_text())["evidence"]["parity"]["verdict"] == "PASS"


def test_own_file_is_uploaded_and_inspected(server: Server, visit: Callable[[str], Page]) -> None:
    page = visit(server.url)
    page.locator("input[type=file]").first.set_input_files(FASHION / "model.onnx")
    expect(page.get_by_role("heading", name="model.onnx")).to_be_visible(timeout=LONG)


def test_weights_are_joined_with_the_file_that_defines_their_network(
    server: Server, visit: Callable[[str], Page], tmp_path: Path
) -> None:
    net = "from torch import nn\n\ndef build():\n    return nn.Sequential(nn.Linear(8, 3), nn.ReLU())\n"
    space: dict[str, Any] = {"__name__": "net"}
    exec(net, space)
    save_file(space["build"]().state_dict(), tmp_path / "weights.safetensors")
    (tmp_path / "net.py").write_text(net)
    page = visit(server.url)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "weights.safetensors")
    page.get_by_role("button", name="Convert this model").click(timeout=LONG)
    zone = page.locator("input[type=file][accept='.py']")
    zone.set_input_files(tmp_path / "net.py", timeout=LONG)
    page.get_by_text("I trust this file; run it in the sandbox.").click()
    page.get_by_role("textbox", name="Shapes").fill("8")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Convert and prove").click()
    expect(page.get_by_text("PASS. Both files give the same answers.")).to_be_visible(timeout=LONG)
    page.get_by_text("Convert again, with other data or options").click()
    page.get_by_role("button", name="Do without it").click()
    expect(page.get_by_text("net.py is a program")).to_have_count(0)


def test_wrong_file_gets_a_sentence_and_no_traceback(
    server: Server, visit: Callable[[str], Page], tmp_path: Path
) -> None:
    wrong = tmp_path / "holiday.onnx"
    wrong.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    page = visit(server.url)
    page.locator("input[type=file]").first.set_input_files(wrong)
    expect(page.get_by_text("This did not work")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("image", exact=False).first).to_be_visible()
    assert "Traceback" not in page.content()


def test_addresses_in_a_file_are_no_links(server: Server, visit: Callable[[str], Page], tmp_path: Path) -> None:
    model = onnx.load(FASHION / "model.onnx")
    model.producer_name = "https://evil.example/a www.evil.example a@evil.example"
    onnx.save(model, tmp_path / "https:__www.evil.example.onnx")
    page = visit(server.url)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "https:__www.evil.example.onnx")
    expect(page.get_by_text("made by").first).to_contain_text("evil.example", timeout=LONG)
    assert [link.evaluate("one => one.outerHTML") for link in page.locator("a[href*='evil.example']").all()] == []


def test_deep_link_as_the_very_first_request(serve: Callable[..., Server], visit: Callable[[str], Page]) -> None:
    page = visit(serve().url + "/convert")
    expect(page.get_by_role("heading", name="Convert", exact=True)).to_be_visible(timeout=LONG)
    expect(page.get_by_role("link", name="Models")).to_be_visible()
    expect(page.get_by_role("img", name="Logo")).to_be_visible()
    expect(page.get_by_text("Isolation:")).to_be_visible()
    expect(page.get_by_text("No model to convert yet")).to_be_visible()


def test_reload_in_mid_job_loses_nothing(server: Server, visit: Callable[[str], Page]) -> None:
    page = visit(server.url)
    open_sample(page, "fashion_cnn")
    convert(page, "onnx")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible(timeout=LONG)
    page.reload()
    expect(page.get_by_text("PASS. Both files give the same answers.")).to_be_visible(timeout=LONG)
    page.goto(server.url)
    expect(page.get_by_text("made by converting").or_(page.get_by_text("↳")).first).to_be_visible(timeout=LONG)


def test_cancel_stops_the_job_and_it_can_be_run_again(server: Server, visit: Callable[[str], Page]) -> None:
    page = visit(server.url)
    open_sample(page, "fashion_cnn")
    convert(page, "onnx")
    page.get_by_role("button", name="Cancel").click(timeout=LONG)
    expect(page.get_by_text("This job was cancelled.")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("PASS. Both files give the same answers.")).to_be_visible(timeout=LONG)


def test_two_visitors_see_nothing_of_each_other(server: Server, visit: Callable[[str], Page]) -> None:
    one = visit(server.url)
    open_sample(one, "penguins")
    address = one.url
    two = visit(server.url)
    expect(two.get_by_text("No models yet")).to_be_visible(timeout=LONG)
    two.goto(address)
    expect(two.get_by_text("There is no such model in your library.")).to_be_visible(timeout=LONG)


def test_a_killed_server_shows_the_job_as_interrupted(
    serve: Callable[..., Server], visit: Callable[[str], Page]
) -> None:
    first = serve()
    page = visit(first.url)
    open_sample(page, "fashion_cnn")
    convert(page, "onnx")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible(timeout=LONG)
    first.kill()
    second = serve(home=first.home)
    page.goto(page.url.replace(first.url, second.url))
    expect(page.get_by_text("Interrupted")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("PASS. Both files give the same answers.")).to_be_visible(timeout=LONG)


def test_planted_fault_cannot_be_missed_or_downloaded(
    serve: Callable[..., Server], visit: Callable[[str], Page]
) -> None:
    page = visit(serve(str(Path("tests/browser/faulty_app.py"))).url)
    open_sample(page, "fashion_cnn")
    convert(page, "onnx")
    expect(page.get_by_text("FAIL. The converted file does not give the same answers. Do not use it.")).to_be_visible(
        timeout=LONG
    )
    expect(page.get_by_text("A file that failed its proof cannot be downloaded.")).to_be_visible()
    assert page.get_by_role("link", name=re.compile("Download")).count() == 0
    assert page.locator("a[download]").count() == 0


def test_clean_python_is_not_ours(clean_python: Path) -> None:
    found = subprocess.run([clean_python, "-c", "import torch"], capture_output=True)
    assert found.returncode != 0
    assert str(clean_python) != sys.executable


def taken(page: Page, target: str, folder: Path) -> Path:
    """Press a target's tile, download its bundle with the evidence, and return the unpacked folder."""
    tile = page.locator(f".st-key-matrix-{target} button").first
    assert tile.is_enabled(), page.locator(".st-key-matrix").inner_text()
    link = page.get_by_role("link", name=re.compile("Download with evidence"))
    before = link.get_attribute("href") if link.count() else None
    tile.click()
    expect(page.get_by_text("PASS. Both files give the same answers.")).to_be_visible(timeout=LONG)
    expect(link).to_have_count(1, timeout=LONG)
    if before:
        expect(link).not_to_have_attribute("href", before, timeout=LONG)
    page.wait_for_function("() => location.search.includes('job=')")
    with page.expect_download() as waiting:
        link.click()
    waiting.value.save_as(folder / f"{target}.zip")
    with zipfile.ZipFile(folder / f"{target}.zip") as archive:
        archive.extractall(folder / target)
    return folder / target


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_target_is_tried_and_two_are_taken_away(
    server: Server, visit: Callable[[str], Page], tmp_path: Path
) -> None:
    page = visit(server.url)
    open_sample(page, "fashion_cnn")
    page.get_by_role("button", name="Convert this model").click()
    page.get_by_role("button", name="Try every target").click()
    expect(page.get_by_role("button", name="Stop trying")).to_be_visible(timeout=LONG)
    expect(page.locator(".st-key-matrix-onnx button").first).to_be_enabled(timeout=LONG)
    page.reload()
    expect(page.locator(".st-key-matrix-onnx button").first).to_be_enabled(timeout=LONG)
    expect(page.get_by_role("button", name="Stop trying")).to_have_count(0, timeout=900_000)
    page.get_by_text("Figures and reasons").click()
    standings = page.locator("table").first.locator("tbody tr")
    assert standings.count() >= 3
    text = " ".join(standings.all_inner_texts())
    assert "proven here" in text
    assert "waiting" not in text
    assert "trying" not in text
    assert "differs" not in text, page.locator(".st-key-matrix").inner_text()
    for target in ("onnx", "openvino"):
        folder = taken(page, target, tmp_path)
        assert json.loads((folder / "card.json").read_text())["artifact"]["format"] == target
        replay = subprocess.run([sys.executable, "verify.py"], cwd=folder, capture_output=True, text=True)
        assert replay.returncode == 0, replay.stdout + replay.stderr


NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.head = nn.Linear(6, 16), nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.hidden(x).relu())
"""


def test_weights_and_their_python_file_are_converted_once_the_owner_agrees(
    server: Server, visit: Callable[[str], Page], tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(NET)
    names = (("hidden.weight", (16, 6)), ("hidden.bias", (16,)), ("head.weight", (3, 16)), ("head.bias", (3,)))
    torch.save({name: torch.ones(shape) for name, shape in names}, tmp_path / "weights.pt")
    page = visit(server.url)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "weights.pt")
    page.get_by_role("button", name="Convert this model").click(timeout=LONG)
    page.get_by_role("textbox", name="Shapes").fill("6", timeout=LONG)
    page.keyboard.press("Enter")
    page.locator("input[type=file]").first.set_input_files(tmp_path / "net.py")
    expect(page.get_by_text("net.py is a program")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Convert and prove")).to_be_disabled()
    expect(page.get_by_role("button", name="Try every target")).to_be_disabled()
    page.get_by_text("I trust this file; run it in the sandbox.").click()
    page.get_by_role("button", name="Convert and prove").click()
    expect(page.get_by_text("PASS. Both files give the same answers.")).to_be_visible(timeout=LONG)


HASTE = """words => {
  const all = (root, what) => [...root.querySelectorAll(what), ...[...root.querySelectorAll("*")].flatMap(one => one.shadowRoot ? all(one.shadowRoot, what) : [])];
  const looks = setInterval(() => {
    if (!all(document, ".words").some(one => one.textContent.includes(words))) return;
    clearInterval(looks);
    all(document, "button").find(one => one.textContent.includes("Convert and prove")).click();
  }, 1);
}"""
"""Presses the button in the moment in which the page says the words, faster than a hand."""


def test_the_proof_uses_the_data_that_has_just_arrived(
    server: Server, visit: Callable[[str], Page], tmp_path: Path
) -> None:
    with np.load(FASHION / "test.npz") as whole:
        np.savez(tmp_path / "few.npz", **{name: whole[name][:40] for name in whole.files})
    page = visit(server.url)
    page.locator("input[type=file]").first.set_input_files(FASHION / "model.onnx")
    expect(page.get_by_role("heading", name="model.onnx")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Convert this model").click()
    page.locator(".st-key-matrix-ort button").first.click()
    again = page.get_by_text("Convert again, with other data or options")
    for file in (FASHION / "test.npz", tmp_path / "few.npz"):
        if again.count():
            again.click()
        page.get_by_role("button", name="Add test data").click()
        page.evaluate(HASTE, f"{file.name} has arrived")
        page.locator("input[type=file]").first.set_input_files(file)
        expect(page.get_by_text(f"Used: model.onnx, default options, test data {file.name}.")).to_be_visible(
            timeout=LONG
        )
        expect(page.get_by_text("Accuracy", exact=True).first).to_be_visible()
