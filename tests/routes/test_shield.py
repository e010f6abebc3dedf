"""Every response carries the headers, a page gives a cookie, and nothing foreign gets in."""

import asyncio
import re

import httpx
import pytest
import websockets
from websockets.http11 import Response

from core.domain.reach import allowed_hosts
from core.doors.routes import visitors
from core.doors.routes.shield import HEADERS
from tests.serving import ROOT, Server

EVERYWHERE = (
    "/",
    "/convert",
    "/no-such-page",
    "/healthz",
    "/_stcore/health",
    "/_stcore/host-config",
    "/static/nothing.js",
    "/media/nothing",
    "/api/nothing",
    "/files/a/b/c/d",
    "/graph/nothing",
    "/netron/",
    "/netron/index.js",
    "/netron/../app.py",
    "//elsewhere/path",
)


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_response_has_the_headers(stranger: httpx.Client, server: Server, path: str) -> None:
    answer = stranger.get(httpx.URL(server.url + "/").copy_with(raw_path=path.encode()))
    for name in HEADERS:
        assert name in answer.headers, (path, name)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (
        "frame-ancestors 'self'" in answer.headers["content-security-policy"]
        or "sandbox" in answer.headers["content-security-policy"]
    )
    assert "unsafe-eval'" not in answer.headers["content-security-policy"].replace("wasm-unsafe-eval", "")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_refusals_of_a_method_have_the_headers(stranger: httpx.Client, method: str) -> None:
    for path in ("/", "/api/models", "/healthz"):
        answer = stranger.request(method, path)
        assert answer.status_code >= 400
        assert "content-security-policy" in answer.headers


def test_a_page_gives_a_cookie_that_scripts_cannot_read(stranger: httpx.Client) -> None:
    cookie = stranger.get("/").headers["set-cookie"]
    assert re.match(rf"{visitors.COOKIE}=[A-Za-z0-9_-]{{43}}; ", cookie)
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"):
        assert part in cookie
    assert "Secure" not in cookie


def test_over_https_the_cookie_is_secure(stranger: httpx.Client) -> None:
    assert "; Secure" in stranger.get("/", headers={"X-Forwarded-Proto": "https"}).headers["set-cookie"]


def test_two_strangers_get_two_cookies_and_a_visitor_keeps_theirs(server: Server, visitor: httpx.Client) -> None:
    mine = visitor.cookies[visitors.COOKIE]
    visitor.get("/convert")
    assert visitor.cookies[visitors.COOKIE] == mine
    assert httpx.get(server.url).cookies[visitors.COOKIE] != mine


@pytest.mark.parametrize(
    "token", ["", "short", "a" * 44, "../../../../../../../../etc/passwd-aaaaaaaaa", "a" * 42 + "!"]
)
def test_a_cookie_of_another_shape_is_nobody(server: Server, token: str) -> None:
    headers = {"Cookie": f"{visitors.COOKIE}={token}"}
    fresh = httpx.get(server.url, headers=headers).cookies[visitors.COOKIE]
    assert fresh != token
    assert visitors.valid(fresh)
    assert httpx.get(server.url + "/api/jobs/x", headers=headers).status_code == 403


def test_a_cached_page_is_sent_again_to_a_browser_without_a_cookie(stranger: httpx.Client) -> None:
    first = stranger.get("/")
    copy = {"If-None-Match": first.headers["etag"]}
    assert stranger.get("/", headers=copy).status_code == 304
    stranger.cookies.clear()
    assert stranger.get("/", headers=copy).status_code == 200


def test_only_pages_give_cookies(stranger: httpx.Client) -> None:
    for path in ("/healthz", "/api/jobs/x", "/netron/", "/_stcore/health", "/files/a/b/c/d"):
        assert visitors.COOKIE not in stranger.get(path).headers.get("set-cookie", "")


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "a b", "", "localhost:99x", "[::1"]
)
def test_a_foreign_host_is_refused(stranger: httpx.Client, host: str) -> None:
    answer = stranger.get("/", headers={"Host": host})
    assert answer.status_code == 400
    if host.isascii() and host:
        assert "host name" in answer.json()["error"]["message"]
        assert "set-cookie" not in answer.headers


def test_our_own_names_are_answered(stranger: httpx.Client, server: Server) -> None:
    for host in (f"localhost:{server.port}", f"127.0.0.1:{server.port}", f"[::1]:{server.port}", "LOCALHOST"):
        assert stranger.get("/healthz", headers={"Host": host}).status_code == 200


def test_more_names_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTOLAN_HOSTS", "Portolan.example, other.example")
    assert {"portolan.example", "other.example", "localhost"} <= allowed_hosts()


def test_a_foreign_origin_is_refused(stranger: httpx.Client, server: Server) -> None:
    for origin in ("http://evil.example", "null", f"http://localhost:{server.port + 1}"):
        assert stranger.get("/_stcore/health", headers={"Origin": origin}).status_code == 403
    assert stranger.get("/_stcore/health", headers={"Origin": server.url}).status_code == 200


def names(response: Response) -> set[str]:
    """Return a response's header names as they are written in HEADERS."""
    return {name.title() for name in response.headers}


def shake_hands(server: Server, origin: str | None, host: str | None = None) -> int:
    """Open Streamlit's websocket, and return the status of the answer."""

    async def go() -> int:
        address = f"ws://{host or f'127.0.0.1:{server.port}'}/_stcore/stream"
        try:
            async with websockets.connect(address, origin=origin, host="127.0.0.1", port=server.port):  # type: ignore[arg-type]
                return 101
        except websockets.InvalidStatus as refused:
            return refused.response.status_code if HEADERS.keys() <= names(refused.response) else 0

    return asyncio.run(go())


def test_the_websocket_takes_its_own_origin_only(server: Server) -> None:
    assert shake_hands(server, server.url) == 101
    assert shake_hands(server, None) == 101
    assert shake_hands(server, "http://evil.example") == 403
    assert shake_hands(server, f"http://localhost:{server.port + 1}") == 403
    assert shake_hands(server, None, host="evil.example") == 400


@pytest.mark.parametrize("method", ["PUT", "POST", "GET", "DELETE", "OPTIONS"])
def test_the_uploader_of_streamlit_is_closed(stranger: httpx.Client, method: str) -> None:
    answer = stranger.request(method, "/_stcore/upload_file/session/file", content=bytes(1000))
    assert (answer.status_code, answer.json()["error"]["kind"]) == (404, "not found")


def test_no_page_puts_a_file_into_the_memory_of_streamlit() -> None:
    """Its media route gives what is there to whoever knows the name; so nothing is there but the icon and the name of the page."""
    kinds = r"file_uploader|download_button|camera_input|audio_input|\.(image|audio|video|pdf|logo)\("
    ours = 'st.logo(str(STATIC / "portolan.svg"), size="large")'
    texts = {path: path.read_text().replace(ours, "") for path in sorted((ROOT / "pages").rglob("*.py"))}
    assert [path for path, text in texts.items() if re.search(rf"\bst\.?({kinds})", text)] == []
    assert re.search(rf"\bst\.?({kinds})", "st.file_uploader(")
    assert re.search(rf"\bst\.?({kinds})", "st.image(")
