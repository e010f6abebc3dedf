"""The runtime for browsers: the right bytes under an address of today, packed, kept for good, and nothing beside them."""

import gzip

import httpx
import pytest

from core import web
from core.doors.routes import browser, links


@pytest.mark.parametrize("name", [*web.RUNTIME, *web.SCRIPTS])
def test_a_file_arrives_as_it_is(stranger: httpx.Client, name: str) -> None:
    answer = stranger.get(browser.folder() + name)
    assert answer.status_code == 200
    assert answer.content == (web.unpacked(name) if name in web.RUNTIME else web.script(name))
    assert answer.headers["content-type"].startswith("application/wasm" if name.endswith("wasm") else "text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy


def test_the_runtime_travels_as_it_is_stored(stranger: httpx.Client) -> None:
    with stranger.stream("GET", browser.folder() + web.WASM, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        sent = b"".join(answer.iter_raw())
    assert sent == web.packed(web.WASM)
    plain = stranger.get(browser.folder() + web.WASM, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == gzip.decompress(sent)


@pytest.mark.parametrize(
    "path",
    ["/ort/000000000000/replay.mjs", "{folder}__init__.py", "{folder}ORIGIN.md", "{folder}%2e%2e%2fapp.py", "{folder}", "/ort/", "{folder}replay.mjs.gz"],
)  # fmt: skip
def test_nothing_else_is_there(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(path.format(folder=browser.folder()))
    assert answer.status_code in (400, 404)
    assert b"import" not in answer.content


def test_a_link_to_answers_is_for_one_blob_only(visitor: httpx.Client, signer: links.Signer) -> None:
    blob = visitor.put("/api/data", params={"name": "recorded.bin"}, content=b"answers of somebody").json()
    link = signer.link("files", blob["sha256"], "recorded.bin")
    assert visitor.get(link).content == b"answers of somebody"
    assert visitor.get(link.replace(blob["sha256"], "0" * 64)).status_code == 404
