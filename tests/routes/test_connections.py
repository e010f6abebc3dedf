"""Connections that keep their request back, bodies that hardly move and readers that stand still hold nobody else up."""

import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import httpx
import pytest
import websockets.sync.client
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from core.doors import workspace
from core.doors.routes import HANDLERS, MIDDLEWARE, ROUTES, links, uploads, visitors
from core.memory.store import Store
from tests.routes.conftest import WRITER, stray
from tests.serving import Server

TIGHT = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096))
from core.doors import connections
connections.HEAD_SECONDS, connections.STALL_SECONDS = {head}, 1.0
runpy.run_path("app.py", run_name="__main__")
"""
"""A server that may have as many files open as Linux lets a plain user's process have at first."""


def tight(serve: Callable[..., Server], head: float = 10.0) -> Server:
    return serve("-c", TIGHT.replace("{head}", str(head)))


@contextlib.contextmanager
def half_open(
    server: Server, number: int, sent: bytes = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
) -> Iterator[list[socket.socket]]:
    """Open connections that begin a request and do not end it."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(number):
            made.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 5)))
            with contextlib.suppress(ConnectionError):
                made[-1].sendall(sent)
        yield made


def slowest(server: Server, seconds: float) -> float:
    """Ask for the server's health again and again, each time on a new connection, and return the longest wait."""
    end, worst = time.monotonic() + seconds, 0.0
    while time.monotonic() < end:
        began = time.monotonic()
        assert httpx.get(server.url + "/healthz", timeout=5).status_code == 200
        worst = max(worst, time.monotonic() - began)
        time.sleep(0.05)
    return worst


def open_now(made: list[socket.socket]) -> int:
    """Count the connections that the server has not closed."""
    found = 0
    for one in made:
        one.setblocking(False)
        with contextlib.suppress(ConnectionError):
            try:
                found += one.recv(1000) != b""
            except BlockingIOError:
                found += 1
    return found


def test_eleven_hundred_half_open_connections_stop_nobody(serve: Callable[..., Server]) -> None:
    server = tight(serve, head=3.0)
    with half_open(server, 1100) as made:
        assert slowest(server, 2) < 1
        assert open_now(made) <= 1000
        assert slowest(server, 3) < 1
        assert open_now(made) == 0
    assert "Traceback" not in server.log.read_text()


def test_a_head_that_comes_letter_by_letter_does_not_keep_its_connection(serve: Callable[..., Server]) -> None:
    server = tight(serve, head=1.0)
    began = time.monotonic()
    with half_open(server, 1) as (one,), contextlib.suppress(ConnectionError):
        while time.monotonic() - began < 10 and open_now([one]):
            one.sendall(b"X")
            time.sleep(0.1)
    assert 0.8 < time.monotonic() - began < 3


def test_a_reader_that_stands_still_is_cut_off(serve: Callable[..., Server]) -> None:
    server = tight(serve)
    with httpx.Client(base_url=server.url, headers=WRITER, timeout=60) as client:
        client.get("/")
        name = client.put("/api/data", params={"name": "a.npz"}, content=bytes(30_000_000)).json()["sha256"]
    path = links.Signer(links.key(server.home)).link("files", name, "a.npz")
    with socket.create_connection(("127.0.0.1", server.port), 5) as reader:
        reader.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        time.sleep(3)
        assert sum(iter(lambda: len(reader.recv(1_000_000)), 0)) < 20_000_000


def test_a_browser_keeps_its_connection_between_requests(serve: Callable[..., Server]) -> None:
    server = tight(serve, head=1.0)
    with httpx.Client(base_url=server.url) as client:
        for _ in range(3):
            assert client.get("/healthz").status_code == 200
            time.sleep(0.5)
    with websockets.sync.client.connect(server.url.replace("http", "ws") + "/_stcore/stream") as line:
        time.sleep(2)
        line.ping().wait(5)


def cookie() -> dict[str, str]:
    return {"Cookie": f"{visitors.COOKIE}={visitors.new_token()}"}


def head(server: Server, who: dict[str, str]) -> bytes:
    """Return the begin of an upload that never comes."""
    lines = {"Host": f"127.0.0.1:{server.port}", **who, **WRITER, "Content-Length": "1000000"}
    return "\r\n".join(["PUT /api/data?name=a.npz HTTP/1.1", *(f"{k}: {v}" for k, v in lines.items()), "", ""]).encode()


def test_uploads_at_once_are_bounded_for_one_visitor_and_for_all(serve: Callable[..., Server]) -> None:
    server = serve(PORTOLAN_VISITOR_UPLOADS="2", PORTOLAN_MAX_UPLOADS="3")
    ann, bob, cid = cookie(), cookie(), cookie()

    def put(who: dict[str, str]) -> httpx.Response:
        return httpx.put(server.url + "/api/data?name=b.npz", headers={**who, **WRITER}, content=b"whole")

    with half_open(server, 2, head(server, ann)):
        time.sleep(0.5)
        assert put(ann).status_code == 429
        assert "You have 2 uploads open" in put(ann).json()["error"]["message"]
        assert put(bob).status_code == 201
        with half_open(server, 1, head(server, bob)):
            time.sleep(0.5)
            busy = put(cid)
            assert (busy.status_code, int(busy.headers["retry-after"]) > 0) == (429, True)
            assert "This server has 3 uploads open" in busy.json()["error"]["message"]
    for _ in range(50):
        if put(ann).status_code == 201:
            break
        time.sleep(0.1)
    assert put(ann).status_code == 201


def test_a_refused_body_is_not_read_to_its_end_and_its_sender_reads_the_answer(serve: Callable[..., Server]) -> None:
    server = serve(PORTOLAN_VISITOR_UPLOADS="0")
    taken: list[int] = []

    def body() -> Iterator[bytes]:
        for number in range(300):
            taken.append(number)
            yield bytes(1_000_000)

    refused = httpx.put(server.url + "/api/data?name=b.npz", headers={**cookie(), **WRITER}, content=body(), timeout=60)
    assert (refused.status_code, refused.json()["error"]["kind"]) == (429, "too many")
    assert len(taken) < 100


def test_open_pages_are_bounded_for_one_visitor_and_for_all(serve: Callable[..., Server]) -> None:
    server = serve(PORTOLAN_VISITOR_PAGES="2", PORTOLAN_MAX_PAGES="3")
    address = server.url.replace("http", "ws") + "/_stcore/stream"
    ann, bob, cid = cookie(), cookie(), cookie()
    with contextlib.ExitStack() as pages:

        def page(who: dict[str, str]) -> int:
            try:
                pages.enter_context(websockets.sync.client.connect(address, additional_headers=who))
            except InvalidStatus as refused:
                return refused.response.status_code
            return 101

        assert [page(who) for who in (ann, ann, ann, bob, cid)] == [101, 101, 429, 101, 429]


@pytest.mark.parametrize("megabytes", [12, 20])
def test_a_message_of_a_page_is_bounded(server: Server, megabytes: int) -> None:
    with websockets.sync.client.connect(server.url.replace("http", "ws") + "/_stcore/stream", max_size=None) as line:
        with contextlib.suppress(ConnectionClosed, ConnectionError):
            line.send(bytes(megabytes * 1_000_000))
        with pytest.raises(ConnectionClosedError) as closed:
            deque(line, maxlen=0)
        assert closed.value.rcvd is None or closed.value.rcvd.code == 1009


def test_a_body_that_hardly_moves_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    monkeypatch.setattr(workspace, "_current", workspace.Workspace(tmp_path, store, None, None))  # type: ignore[arg-type]
    monkeypatch.setattr(uploads, "PACE_SECONDS", 0.5)
    app = Starlette(routes=ROUTES, middleware=MIDDLEWARE, exception_handlers=HANDLERS)

    async def drops() -> object:
        for _ in range(100):
            await anyio.sleep(0.1)
            yield b"x"

    async def fast() -> object:
        for _ in range(20):
            await anyio.sleep(0.05)
            yield bytes(uploads.PACE_BYTES)

    async def send(content: object) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers={**cookie(), **WRITER}
        ) as c:
            return await c.put("/api/data?name=d.npz", content=content)  # type: ignore[arg-type]

    began = time.monotonic()
    slow = anyio.run(send, drops())
    assert (slow.status_code, time.monotonic() - began < 5) == (408, True)
    assert "hardly moved" in slow.json()["error"]["message"]
    assert stray(tmp_path) == []
    assert anyio.run(send, fast()).status_code == 201
    store.close()
