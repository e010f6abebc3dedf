"""Uploads arrive whole or not at all, from their own page only, in constant memory."""

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import anyio
import httpx
import pytest
from starlette.applications import Starlette

from core.doors import workspace
from core.doors.routes import HANDLERS, MIDDLEWARE, ROUTES, links, visitors
from core.memory.blobs import Blobs, Writer
from core.memory.store import Store
from tests.routes.conftest import WRITER, stray
from tests.serving import Server

BODY = bytes(range(256)) * 5000
OBJECTS = "objects"


def blobs(home: Path) -> list[Path]:
    """Return the stored blobs."""
    return [path for path in home.rglob("*") if path.is_file() and OBJECTS in path.parts]


def test_a_data_set_comes_back_byte_for_byte(visitor: httpx.Client, server: Server, signer: links.Signer) -> None:
    answer = visitor.put("/api/data", params={"name": "x/..\\täst.npz"}, content=BODY)
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"sha256": sha256(BODY).hexdigest(), "size": len(BODY), "name": "täst.npz"}
    assert visitor.get(signer.link("files", answer.json()["sha256"], "a.npz")).content == BODY
    assert stray(server.home) == []


def test_a_model_becomes_a_job_of_its_visitor_alone(visitor: httpx.Client, server: Server) -> None:
    job = visitor.put("/api/models", params={"name": "noise.onnx"}, content=BODY).json()["job"]
    with httpx.Client(base_url=server.url, headers=WRITER) as other:
        assert other.get(f"/api/jobs/{job}").status_code == 403
        other.get("/")
        assert other.get(f"/api/jobs/{job}").status_code == 404
        assert other.post(f"/api/jobs/{job}/cancel").status_code == 404
    shown = ended(visitor, job)
    assert shown["state"] == "failed"
    assert shown["error"]["message"]
    assert "noise.onnx" in shown["title"]


def ended(visitor: httpx.Client, job: str) -> dict[str, object]:
    """Wait for a job's end and return what the server tells of it."""
    for _ in range(300):
        shown: dict[str, object] = visitor.get(f"/api/jobs/{job}").json()
        if shown["state"] not in ("queued", "running"):
            return shown
        time.sleep(0.1)
    raise AssertionError(shown)


@pytest.mark.parametrize("path", ["/api/models", "/api/data"])
@pytest.mark.parametrize(
    "headers",
    [
        {"X-Requested-With": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://evil.example"},
        {"Cookie": ""},
    ],
)
def test_another_site_cannot_upload(server: Server, path: str, headers: dict[str, str]) -> None:
    before = blobs(server.home)
    with httpx.Client(base_url=server.url) as client:
        client.get("/")
        cookie = f"{visitors.COOKIE}={client.cookies[visitors.COOKIE]}"
        client.cookies.clear()
        sent = {name: value for name, value in {"Cookie": cookie, **WRITER, **headers}.items() if value}
        answer = client.put(path, params={"name": "m.onnx"}, content=b"something", headers=sent)
    assert answer.status_code == 403
    assert answer.json()["error"]["next_step"]
    assert blobs(server.home) == before


def test_an_empty_file_is_refused(visitor: httpx.Client, server: Server) -> None:
    answer = visitor.put("/api/models", params={"name": "m.onnx"}, content=b"")
    assert answer.status_code == 400
    assert "empty" in answer.json()["error"]["message"]
    assert stray(server.home) == []


def test_an_upload_that_breaks_off_leaves_nothing(visitor: httpx.Client, server: Server) -> None:
    before = blobs(server.home)
    cookie = f"{visitors.COOKIE}={visitor.cookies[visitors.COOKIE]}"
    head = (
        f"PUT /api/models?name=half.onnx HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nCookie: {cookie}\r\n"
        "X-Requested-With: x\r\nContent-Length: 50000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + bytes(3_000_000))
        wait_until(lambda: bool(stray(server.home)))
    wait_until(lambda: not stray(server.home))
    assert blobs(server.home) == before
    assert "Traceback" not in server.log.read_text()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait up to ten seconds for something to become true."""
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it never became true")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., httpx.Response]]:
    """Put to our routes in this process, with a 1 MB upload limit and a store with a quota of 100 kB."""
    store = Store(tmp_path, Blobs(tmp_path / "blobs", reserve_bytes=0, quota_bytes=100_000))
    tight = workspace.Workspace(tmp_path, store, None, None)  # type: ignore[arg-type]
    monkeypatch.setattr(workspace, "_current", tight)
    monkeypatch.setenv("PORTOLAN_MAX_UPLOAD_MB", "1")
    app = Starlette(routes=ROUTES, middleware=MIDDLEWARE, exception_handlers=HANDLERS)
    cookie = {"Cookie": f"{visitors.COOKIE}={visitors.new_token()}"}

    async def send(content: object) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers={**cookie, **WRITER}
        ) as client:
            return await client.put("/api/data?name=d.npz", content=content)  # type: ignore[arg-type]

    yield lambda content: anyio.run(send, content)
    store.close()
    assert stray(tmp_path) == []
    assert blobs(tmp_path) == []


async def endless() -> object:
    """Send 10 MB without saying so before."""
    for _ in range(100):
        yield bytes(100_000)


def test_more_than_the_limit_is_413_in_words(small: Callable[..., httpx.Response]) -> None:
    answer = small(bytes(1_100_000))
    assert answer.status_code == 413
    assert "1 MB" in answer.json()["error"]["message"]


def test_a_body_of_unknown_length_is_stopped_at_the_limit(
    small: Callable[..., httpx.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace.current().store.blobs, "quota_bytes", None)
    assert small(endless()).status_code == 413


def test_more_than_the_quota_is_507_in_words(small: Callable[..., httpx.Response]) -> None:
    answer = small(bytes(200_000))
    assert answer.status_code == 507
    assert answer.json()["error"]["next_step"]


def test_a_full_disk_is_507_in_words(small: Callable[..., httpx.Response], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Writer, chunk: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Writer, "write", full)
    answer = small(bytes(50_000))
    assert answer.status_code == 507
    assert "disk is full" in answer.json()["error"]["message"]


@pytest.mark.slow
def test_half_a_gigabyte_up_and_down_leaves_memory_flat(
    visitor: httpx.Client, server: Server, signer: links.Signer
) -> None:
    visitor.put("/api/data", params={"name": "warm.npz"}, content=BODY)
    before = server.memory_mb("VmRSS")
    peaks = [before]
    done = threading.Event()
    watcher = threading.Thread(target=lambda: watch(server, peaks, done))
    watcher.start()
    sent, received = sha256(), sha256()
    block = sha256(b"seed").digest() * 32768

    def body() -> Iterator[bytes]:
        for number in range(500):
            piece = number.to_bytes(8, "big") + block[8:]
            sent.update(piece)
            yield piece

    answer = visitor.put("/api/data", params={"name": "big.npz"}, content=body(), timeout=300).json()
    assert (answer["sha256"], answer["size"]) == (sent.hexdigest(), 500 * 1024 * 1024)
    with visitor.stream("GET", signer.link("files", answer["sha256"], "big.npz"), timeout=300) as download:
        for piece in download.iter_bytes(1024 * 1024):
            received.update(piece)
    done.set()
    watcher.join()
    assert received.hexdigest() == sent.hexdigest()
    assert max(peaks) - before < 32, (before, max(peaks))


def watch(server: Server, peaks: list[float], done: threading.Event) -> None:
    """Note the server's memory every 20 ms."""
    while not done.wait(0.02):
        peaks.append(server.memory_mb("VmRSS"))
