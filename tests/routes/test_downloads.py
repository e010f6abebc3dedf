"""Signed links give exactly one blob for an hour, whole or in ranges, and nothing else."""

import time
from hashlib import sha256

import httpx
import pytest

from core.doors.routes import links

BODY = bytes(range(256)) * 400
HASH = sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def stored(visitor: httpx.Client) -> None:
    """The blob that the tests fetch."""
    assert visitor.put("/api/data", params={"name": "d.npz"}, content=BODY).status_code == 201


def test_a_link_needs_no_cookie_and_says_all_about_the_file(stranger: httpx.Client, signer: links.Signer) -> None:
    answer = stranger.get(signer.link("files", HASH, 'mö"del\r\n.onnx'), headers={"Accept-Encoding": "gzip"})
    assert answer.content == BODY
    assert answer.headers["etag"] == f'"{HASH}"'
    assert answer.headers["content-length"] == str(len(BODY))
    assert "content-encoding" not in answer.headers
    assert (
        answer.headers["content-disposition"] == "attachment; filename=\"m_del.onnx\"; filename*=UTF-8''m%C3%B6del.onnx"
    )
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-99", 206, BODY[:100]),
        ("bytes=1000-", 206, BODY[1000:]),
        ("bytes=-7", 206, BODY[-7:]),
        (f"bytes={len(BODY)}-", 416, None),
    ],
)
def test_ranges(stranger: httpx.Client, signer: links.Signer, asked: str, status: int, part: bytes | None) -> None:
    answer = stranger.get(signer.link("files", HASH, "d.npz"), headers={"Range": asked})
    assert answer.status_code == status
    if part is not None:
        assert answer.content == part
        assert answer.headers["content-range"].endswith(f"/{len(BODY)}")


def test_a_download_resumes_only_on_the_same_bytes(stranger: httpx.Client, signer: links.Signer) -> None:
    link = signer.link("files", HASH, "d.npz")
    assert stranger.get(link, headers={"Range": "bytes=5-", "If-Range": f'"{HASH}"'}).status_code == 206
    assert stranger.get(link, headers={"Range": "bytes=5-", "If-Range": '"other"'}).status_code == 200
    assert stranger.head(link).headers["content-length"] == str(len(BODY))


def test_a_browser_that_has_the_bytes_gets_304(visitor: httpx.Client, signer: links.Signer) -> None:
    answer = visitor.get(signer.link("graph", HASH, "g.onnx"), headers={"If-None-Match": f'"{HASH}"'})
    assert (answer.status_code, answer.content) == (304, b"")


def test_a_changed_link_leads_nowhere(stranger: httpx.Client, signer: links.Signer) -> None:
    _, prefix, digest, expiry, signature, name = signer.link("files", HASH, "d.npz").split("/")
    forged = (
        (prefix, "0" * 64, expiry, signature, name),
        (prefix, digest, str(int(expiry) + 600), signature, name),
        (prefix, digest, expiry, "0" * 40, name),
        (prefix, digest, expiry, "ä" * 40, name),
        (prefix, digest, expiry, signature[:-1], name),
        (prefix, digest, expiry, signature, "other.exe"),
        ("graph", digest, expiry, signature, name),
        (prefix, digest.upper(), expiry, signature, name),
        (prefix, "%2e%2e", expiry, signature, name),
        (prefix, digest, "soon", signature, name),
        (prefix, digest, "9" * 500, signature, name),
    )
    for parts in forged:
        answer = stranger.get("/" + "/".join(parts))
        assert answer.status_code in (400, 404), parts
        assert BODY[:50] not in answer.content


def test_an_old_link_is_gone_in_words(stranger: httpx.Client, signer: links.Signer) -> None:
    answer = stranger.get(signer.link("files", HASH, "d.npz", now=time.time() - 3 * 3600))
    assert answer.status_code == 410
    assert "expired" in answer.json()["error"]["message"]


def test_a_good_link_to_a_missing_blob_is_404_in_words(stranger: httpx.Client, signer: links.Signer) -> None:
    answer = stranger.get(signer.link("files", "0" * 64, "d.npz"))
    assert answer.status_code == 404
    assert answer.json()["error"]["message"]


def test_a_link_is_the_same_for_ten_minutes_and_good_for_an_hour() -> None:
    signer = links.Signer(b"k")
    first, later = (signer.link("files", HASH, "d.npz", now=now) for now in (6_000_001.0, 6_000_599.0))
    assert first == later
    parts = dict(zip(("sha256", "expiry", "signature", "name"), first.split("/")[2:], strict=True))
    assert signer.verify("files", parts, now=6_000_001.0 + 3600) == (HASH, "d.npz")


def test_the_key_is_for_its_owner_only(server: object, signer: links.Signer) -> None:
    path = server.home / "links.key"  # type: ignore[attr-defined]
    assert len(signer.key) == 32
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("model.onnx", "model.onnx"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.pt", "a.pt"),
        ("a\r\nSet-Cookie: x.onnx", "aSet-Cookie x.onnx"),
        ("\u202egnp.exe", "gnp.exe"),
        ("..", "model"),
        ("", "model"),
        (".hidden", "hidden"),
        ("é" * 300 + ".onnx", "é" * 100 + ".onnx"),
        ("<script>.onnx", "script.onnx"),
    ],
)
def test_names_become_plain_file_names(given: str, kept: str) -> None:
    assert links.safe_name(given) == kept
