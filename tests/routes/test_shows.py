"""A page under an unguessable name: anybody with the link reads it, and gets nothing else."""

from pathlib import Path

import httpx

from core.memory.store import Store
from tests.serving import Server


def shared(server: Server, folder: Path) -> str:
    """Show a page as another process of the same folder would, and return its path."""
    store = Store(server.home)
    page = folder / "page.html"
    page.write_text("<!doctype html><title>Figures</title><p>Hello")
    blob = store.blobs.put(page)
    artifact = store.add_artifact("v" + "0" * 32, sha256=blob.sha256, size=blob.size, format="onnx", name="m.onnx")
    return f"/show/{store.add_share('v' + '0' * 32, artifact.id, blob.sha256, 'Figures').id}"


def test_a_stranger_reads_the_page_and_gets_no_cookie(server: Server, stranger: httpx.Client, tmp_path: Path) -> None:
    path = shared(server, tmp_path)
    answer = stranger.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "Hello" in answer.text
    assert "set-cookie" not in answer.headers
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert stranger.post(path, headers={"X-Requested-With": "tests"}).status_code in (404, 405)


def test_other_names_lead_nowhere(server: Server, stranger: httpx.Client, tmp_path: Path) -> None:
    path = shared(server, tmp_path)
    for wrong in (
        path[:-1] + ("0" if path[-1] != "0" else "1"),
        path.upper().replace("SHOW", "show"),
        "/show/",
        "/show/%2e%2e",
    ):
        assert stranger.get(wrong).status_code in (307, 400, 404), wrong
    store = Store(server.home)
    store.remove_share("v" + "0" * 32, path.rpartition("/")[2])
    gone = stranger.get(path)
    assert gone.status_code == 404
    assert "no longer available" in gone.json()["error"]["message"]
