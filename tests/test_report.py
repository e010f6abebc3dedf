"""The page for people who decide: it holds what was measured, fetches nothing, and runs nothing."""

import json
import re
import shlex
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest

from core.answers import report
from core.answers.report import card, variants
from core.calls import cold_start, footprint
from core.domain.codec import decode
from core.domain.compression import Compression
from core.domain.errors import NotFound
from core.domain.profile import Profile
from core.domain.split import By, Split
from core.doors.commands import main
from core.doors.samples import FOLDER
from core.memory.store import Store
from core.verbs import profile

FASHION = FOLDER / "fashion_cnn"
HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">.onnx'


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One real compression, as the verb returns it."""
    folder = tmp_path_factory.mktemp("report")
    words = ["compress", FASHION / "model.onnx", "--technique", "codebooks", "--data", FASHION / "test.npz"]
    out = folder / "result.json"
    with out.open("w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", file)
        main([*map(str, words), "-o", str(folder / "small.onnx"), "--json"])
    value: dict[str, Any] = json.loads(out.read_text())
    return value


def test_the_page_holds_the_figures_and_fetches_nothing(result: dict[str, Any]) -> None:
    text = report.compression("fashion.onnx", [decode(Compression, result)], 0).decode()
    held = result["quality"]["after"]["correct"]
    for words in (
        f"{held['k']} of {held['n']}",
        result["artifact"]["sha256"],
        f"{result['size']['ratio']:.2f}x",
        "PASS",
    ):
        assert words in text
    assert text.count("<svg") >= 4
    assert "<script" not in text
    links = re.findall(r'(?:src|href|action)\s*=\s*"([^"]*)"', text)
    assert not [link for link in links if not link.startswith("#")]
    assert not re.search(r"@import|url\((?!#)", text)


def test_the_page_says_how_the_halves_were_cut(result: dict[str, Any]) -> None:
    found = decode(Compression, result)
    assert found.data
    assert "chosen by the hash of each sample" in variants.method(found)[0]
    grouped = replace(found.data, split=Split("<who>", By.GROUP))
    assert "chosen by the group in &#x27;&lt;who&gt;&#x27;" in variants.method(replace(found, data=grouped))[0]


def test_names_of_strangers_stay_words(result: dict[str, Any]) -> None:
    named = {**result, "source": {**result["source"], "name": HOSTILE}}
    named["weights"] = [{**one, "name": HOSTILE} for one in result["weights"]]
    text = report.compression(HOSTILE, [decode(Compression, named)], 0).decode()
    assert "<script>alert" not in text
    assert not re.search(r"<img[^>]*onerror", text)
    assert "&lt;script&gt;alert(1)" in text


def test_a_share_is_found_by_its_name_until_it_is_taken_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    model = store.blobs.put(FASHION / "model.onnx")
    artifact = store.add_artifact("v1", sha256=model.sha256, size=model.size, format="onnx", name="m.onnx")
    page = tmp_path / "page.html"
    page.write_bytes(b"<!doctype html>")
    blob = store.blobs.put(page)
    share = store.add_share("v1", artifact.id, blob.sha256, "A page")
    assert len(share.id) == 32
    assert store.share(share.id) == share
    assert store.shares("v1", artifact.id) == [share]
    assert store.shares("v2", artifact.id) == []
    store.sweep(age=-1)
    assert store.blobs.path(blob.sha256).exists()
    with pytest.raises(NotFound):
        store.remove_share("v2", share.id)
    with pytest.raises(NotFound):
        store.add_share("v2", artifact.id, blob.sha256, "Not mine")
    store.remove_share("v1", share.id)
    with pytest.raises(NotFound):
        store.share(share.id)
    again = store.add_share("v1", artifact.id, blob.sha256, "A page")
    store.remove_artifact("v1", artifact.id)
    with pytest.raises(NotFound):
        store.share(again.id)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """One real report card, as the verb returns it."""
    out = tmp_path_factory.mktemp("card") / "card.json"
    with out.open("w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", file)
        patch.setattr(profile, "TIMING_SECONDS", 0.3)
        patch.setattr(footprint, "PROCESSES", 1)
        patch.setattr(cold_start, "PROCESSES", 1)
        assert main(["profile", str(FASHION / "model.onnx"), "--json"]) == 0
    value = {key: part for key, part in json.loads(out.read_text()).items() if key not in ("estimates", "real_time")}
    return decode(Profile, value)


def test_a_report_card_begins_with_a_sentence_to_read_aloud(measured: Profile) -> None:
    text = report.profile(HOSTILE, measured).decode()
    body = text[text.index("</h1>") :]
    first = re.sub(r"<[^>]+>", "", body[: body.index("</p>")])
    assert first == card.aloud(measured)
    assert re.fullmatch(
        r"The model answers once in [\d.]+ (micro|milli)seconds on one processor core, needs \d+ megabytes of memory "
        r"beside its runtime, and is ready [\d.]+ (milli)?seconds after the start\.",
        first,
    )
    assert "<script" not in text
    assert f"{measured.timing.cpu:.3g} ms" in text
    assert measured.conditions.sha256 in text
    assert escape(shlex.quote(HOSTILE)) in text
    assert text.count("<svg") >= 3
    links = re.findall(r'(?:src|href|action)\s*=\s*"([^"]*)"', text)
    assert not [link for link in links if not link.startswith("#")]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.000164, "160 microseconds"),
        (0.00316, "3.2 milliseconds"),
        (1.0, "1 second"),
        (0.4567, "460 milliseconds"),
        (123.0, "120 seconds"),
    ],
)
def test_a_time_is_told_in_two_digits(seconds: float, told: str) -> None:
    assert card.spoken(seconds) == told
