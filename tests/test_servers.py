"""Servers of packages: locked in, begun again after a crash, bounded when too much is asked, and gone with the sandbox."""

import json
import os
import signal
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.domain.errors import NotFound, OverLimit, Refused
from core.sandbox import Sandbox
from core.sandbox.servers import MOST, Server, Servers
from core.sandbox.watched import LINE_BYTES, Standing

OWNER = "v" + "0" * 32

BURGLAR = """
import asyncio, json, os, socket, sys

async def serve(listening):
    host, port = listening.getsockname()
    def connect():
        one = socket.socket(); one.connect((host, port))
    acts = {
        "a new socket": socket.socket, "a connection": connect, "a pair of sockets": socket.socketpair,
        "another port": lambda: listening.bind((host, 0)),
        "another program": lambda: os.execv("/bin/true", ["true"]), "another process": os.fork,
        "a file outside": lambda: open("/etc/passwd"), "a folder outside": lambda: os.listdir(sys.argv[0][:1]),
        "a signal to the parent": lambda: os.kill(os.getppid(), 0), "a file inside": lambda: open("in/server.py", "a"),
    }
    done = []
    for name, act in acts.items():
        try:
            act()
        except OSError:
            continue
        done.append(name)
    print("escaped: " + json.dumps(done), file=sys.stderr, flush=True)
    accepting = await asyncio.get_running_loop().create_server(asyncio.Protocol, sock=listening)
    print("answers", file=sys.stderr, flush=True)
    await accepting.serve_forever()
"""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Servers of this test's own."""
    found = Servers(tmp_path)
    yield found
    found.close()


def begun(servers: Servers, package: Path, **settings: str) -> Server:
    """Serve a package and wait until it is ready."""
    server = servers.begin(OWNER, "test", package, True, settings)
    server.until_ready(60, lambda: None)
    return server


def test_a_server_that_was_taken_over_does_nothing_but_answer(
    servers: Servers, sandbox: Sandbox, tmp_path: Path
) -> None:
    assert sandbox.isolation.full
    with zipfile.ZipFile(tmp_path / "burglar.zip", "w") as archive:
        archive.writestr("predict.py", "def begin_log(): pass\n")
        archive.writestr("server.py", f"app = None\n{BURGLAR}")
    server = servers.begin(OWNER, "burglar", tmp_path / "burglar.zip", True, {})
    deadline = time.monotonic() + 60
    while "answers" not in server.lines and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [line for line in server.lines if line.startswith("escaped")] == ["escaped: []"]
    assert server.lines[-1] == "answers"


def test_a_killed_server_answers_again_on_the_same_port_and_nobody_is_turned_away(
    servers: Servers, package: Path
) -> None:
    server = begun(servers, package)
    port, pid = server.port, server.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    assert httpx.get(f"{server.url}/v2/health/live", timeout=30).status_code == 200
    server.until_ready(30, lambda: None)
    assert time.monotonic() - began < 20
    assert (server.port, server.restarts, server.standing) == (port, 1, Standing.READY)
    assert server.pid != pid


def test_a_server_that_cannot_live_is_given_up(servers: Servers, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "dead.zip", "w") as archive:
        archive.writestr("predict.py", f"import sys\nsys.stderr.write('x' * {3 * LINE_BYTES})\nraise SystemExit(1)\n")
    server = servers.begin(OWNER, "dead", tmp_path / "dead.zip", True, {})
    deadline = time.monotonic() + 60
    while server.standing is not Standing.FAILED and time.monotonic() < deadline:
        time.sleep(0.1)
    assert server.standing is Standing.FAILED
    assert [len(line) for line in server.lines][:3] == [LINE_BYTES] * 3


def test_what_is_no_package_leaves_nothing(servers: Servers, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(Refused):
        servers.begin(OWNER, "text", tmp_path / "text.zip", True, {})
    assert [one.name for one in tmp_path.iterdir()] == ["text.zip"]
    assert servers.of(OWNER) == []


def test_only_who_calls_it_by_a_name_of_loopback_is_answered(servers: Servers, package: Path) -> None:
    server = begun(servers, package)

    def asked(**headers: str) -> int:
        return httpx.get(f"{server.url}/v2/health/ready", headers=headers).status_code

    here = [f"127.0.0.1:{server.port}", "localhost", f"LOCALHOST:{server.port}", "[::1]:80"]
    assert [asked(host=name) for name in here] == [200] * 4
    foreign = ["rebound.example.org", f"127.0.0.1.example.org:{server.port}", "", "127.0.0.1, localhost", "10.0.0.1"]
    assert [asked(host=name) for name in foreign] == [421] * 5
    assert asked(host="localhost", origin="http://localhost") == 200
    assert [asked(origin=one) for one in ("https://example.org", "null", "http://[")] == [421] * 3
    unload = f"{server.url}/v2/repository/models/model/unload"
    assert httpx.post(unload, headers={"origin": "https://example.org"}).status_code == 421
    assert server.standing is Standing.READY


def test_too_many_requests_are_told_so_and_the_others_are_answered(servers: Servers, package: Path) -> None:
    server = begun(servers, package, SERVER_WORKERS="1", SERVER_QUEUE="2", MODEL_LOG="WARNING")
    name = httpx.post(f"{server.url}/v2/repository/index").json()[0]["name"]
    data = {"name": "x", "datatype": "FP32", "shape": [64, 1, 28, 28], "data": [0.5] * (64 * 784)}
    body, statuses = json.dumps({"inputs": [data]}).encode(), Counter[int]()

    def ask() -> None:
        statuses[httpx.post(f"{server.url}/v2/models/{name}/infer", content=body, timeout=60).status_code] += 1

    threads = [threading.Thread(target=ask) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 429}
    assert sum(statuses.values()) == 24
    told = httpx.get(f"{server.url}/metrics").text
    assert f'model_requests_total{{status="429"}} {statuses[429]}.0' in told


def test_servers_end_with_their_owner_and_are_bounded(servers: Servers, package: Path) -> None:
    server = begun(servers, package)
    pid = server.pid
    assert pid
    with pytest.raises(NotFound):
        servers.named("v" + "1" * 32, server.id)
    assert servers.of("v" + "1" * 32) == []
    for _ in range(MOST - 1):
        servers.begin(OWNER, "more", package, True, {})
    with pytest.raises(OverLimit):
        servers.begin(OWNER, "more", package, True, {})
    servers.close()
    assert server.standing is Standing.STOPPED
    assert not Path(f"/proc/{pid}").exists()
    assert servers.of(OWNER) == []


def test_where_a_server_cannot_be_locked_in_none_is_started(servers: Servers, package: Path) -> None:
    with pytest.raises(Refused, match="lock a server in"):
        servers.begin(OWNER, "open", package, False, {})
