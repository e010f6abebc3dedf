"""The runtime is what its makers published, and nothing else of theirs is here."""

import re
from hashlib import sha256

import pytest

from core import web


@pytest.mark.parametrize("name", web.RUNTIME)
def test_a_file_is_what_its_makers_published(name: str) -> None:
    content = web.unpacked(name)
    assert sha256(content).hexdigest() == web.RUNTIME[name]
    note = (web.HERE / "ORIGIN.md").read_text()
    assert re.search(rf"\| {re.escape(name)} \| {len(content):,} \| {web.RUNTIME[name]} \|", note)
    assert f"onnxruntime-web@{web.VERSION}" in note


def test_nothing_else_is_vendored() -> None:
    packed = {path.name for path in web.HERE.glob("*.gz")}
    assert packed == {*(f"{name}.gz" for name in web.RUNTIME), "ThirdPartyNotices.txt.gz"}
    assert "MIT License" in (web.HERE / "LICENSE").read_text()
    assert f"ONNX Runtime Web v{web.VERSION}".encode() in web.unpacked(web.MODULE)[:200]
    assert web.unpacked(web.WASM)[:4] == b"\0asm"


def test_the_fingerprint_follows_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    before = web.fingerprint.__wrapped__()
    monkeypatch.setattr(web, "script", lambda name: b"changed")
    assert re.fullmatch(r"[0-9a-f]{12}", before)
    assert web.fingerprint.__wrapped__() != before
