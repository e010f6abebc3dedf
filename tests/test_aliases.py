"""An alias: one address in front of two servers, which judges by the answers of both, and loses no request when it switches."""

import asyncio
import json
import os
import signal
import socket
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from core.calls import features
from core.calls.bench import Bench
from core.domain.canary import Behind, Plan, Terms
from core.domain.errors import Refused
from core.domain.work import Data, Model
from core.doors.routed import BODY_BYTES, HELD_BYTES, Asked, Broker, Router
from core.sandbox.aliases import Alias
from core.sandbox.servers import Server, Servers
from core.sandbox.tools import Tools
from core.sandbox.watched import Standing

OWNER = "v" + "0" * 32
SETTINGS = {"MODEL_LOG": "WARNING"}


def shifted(package: Path, out: Path, classes: list[int]) -> Path:
    """Write the package with its ten classes in another order, and under another name."""
    with zipfile.ZipFile(package) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith(".onnx"):
                model = onnx.load_from_string(data)
                end = model.graph.output[0].name
                for node in model.graph.node:
                    node.output[:] = ["before" if one == end else one for one in node.output]
                model.graph.initializer.append(numpy_helper.from_array(np.array(classes), "order"))
                model.graph.node.append(helper.make_node("Gather", ["before", "order"], [end], axis=1))
                data = model.SerializeToString()
            if name == "signature.json":
                data = json.dumps({**json.loads(data), "model": "another one"}).encode()
            target.writestr(name, data)
    return out


@pytest.fixture(scope="module")
def served(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Servers, Server, Server, Server]]:
    """A server, its twin, and one whose classes all stand one place further."""
    home = tmp_path_factory.mktemp("aliases")
    servers = Servers(home)
    wrong = shifted(package, home / "wrong.zip", [9, *range(9)])
    begun = [servers.begin(OWNER, one.stem, one, True, SETTINGS) for one in (package, package, wrong)]
    for server in begun:
        server.until_ready(60, lambda: None)
    yield servers, *begun
    servers.close()


@pytest.fixture
def alias(served: tuple[Servers, Server, Server, Server]) -> Iterator[Alias]:
    """An address in front of the first server."""
    made = served[0].alias(OWNER, served[1])
    made.until_ready(30, lambda: None)
    yield made
    served[0].end(made)


def question(dice: np.random.Generator, **more: str) -> bytes:
    """A request that nobody sent before."""
    data = dice.random(784).round(4).tolist()
    return json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 28, 28], "data": data}], **more}).encode()  # fmt: skip


def ask(alias: Alias, body: bytes, **headers: str) -> httpx.Response:
    """Ask the model behind an address."""
    return httpx.post(f"{alias.url}/v2/models/model/infer", content=body, headers=headers, timeout=60, verify=False)


def asking(alias: Alias, until: Callable[[int], bool], threads: int = 3) -> Counter[object]:
    """Ask from several threads until a state is reached; return how often each status came, or each error."""
    found, over = Counter[object](), threading.Event()

    def work(seed: int) -> None:
        dice = np.random.default_rng(seed)
        with httpx.Client(timeout=60, verify=False) as client:
            while not over.is_set():
                try:
                    found[client.post(f"{alias.url}/v2/models/model/infer", content=question(dice)).status_code] += 1
                except httpx.HTTPError as error:
                    found[repr(error)] += 1

    working = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for thread in working:
        thread.start()
    ends = time.monotonic() + 60
    while not until(found.total()) and time.monotonic() < ends:
        time.sleep(0.01)
    over.set()
    for thread in working:
        thread.join()
    return found


def test_a_twin_is_promoted_under_load_without_one_failed_request_and_rolled_back_at_once(
    served: tuple[Servers, Server, Server, Server], alias: Alias
) -> None:
    _, champion, twin, _ = served
    alias.propose(twin, Terms(share=0.3, allowed=0.03))
    found = asking(alias, lambda n: alias.champion is twin and n > 300)
    assert set(found) == {200}, found
    assert (alias.champion, alias.challenger, alias.former) == (twin, None, champion)
    assert "promoted, because 0 of" in alias.outcome
    assert alias.drained()
    assert ask(alias, question(np.random.default_rng(9))).headers["x-served-by"] == "champion"
    alias.roll_back()
    assert alias.settled()
    assert alias.took is not None
    assert alias.took < 1
    assert (alias.champion, alias.former) == (champion, None)
    with pytest.raises(Refused):
        alias.roll_back()


def test_a_shifted_twin_is_rolled_back_within_a_few_requests(
    served: tuple[Servers, Server, Server, Server], alias: Alias
) -> None:
    _, champion, _, wrong = served
    alias.propose(wrong, Terms(share=0.0))
    assert alias.settled()
    dice, sent = np.random.default_rng(1), 0
    while alias.challenger is not None and sent < 100:
        assert ask(alias, question(dice)).headers["x-served-by"] == "champion"
        sent += 1
    assert sent < 20
    assert (alias.champion, alias.challenger) == (champion, None)
    assert "rolled back, because" in alias.outcome


def test_one_request_again_and_again_proves_nothing(
    served: tuple[Servers, Server, Server, Server], alias: Alias
) -> None:
    alias.propose(served[2], Terms(share=0.0, allowed=0.2))
    dice = np.random.default_rng(2)
    same = json.loads(question(dice))
    for number in range(40):
        assert ask(alias, json.dumps({**same, "id": f"{number}"}).encode()).status_code == 200
    ends = time.monotonic() + 20
    while alias.compared + alias.skipped < 40 and time.monotonic() < ends:
        time.sleep(0.02)
    assert (alias.compared, alias.challenger) == (1, served[2])


def test_who_is_named_stays_with_one_server(served: tuple[Servers, Server, Server, Server], alias: Alias) -> None:
    alias.propose(served[2], Terms(share=0.5, mirror=0.0))
    assert alias.settled()
    dice, who = np.random.default_rng(3), dict[str, set[str]]()
    for _ in range(3):
        for number in range(8):
            one = {"x-canary-id": f"person {number}"}
            who.setdefault(f"header {number}", set()).add(ask(alias, question(dice), **one).headers["x-served-by"])
            told = ask(alias, question(dice, id=f"call {number}"))
            who.setdefault(f"id {number}", set()).add(told.headers["x-served-by"])
    assert {len(servers) for servers in who.values()} == {1}
    assert set.union(*who.values()) == {"champion", "challenger"}
    assert alias.compared == 0


def test_a_killed_server_and_a_killed_router_lose_no_request(
    served: tuple[Servers, Server, Server, Server], alias: Alias
) -> None:
    champion = served[1]
    before, routers = champion.restarts, alias.pid
    assert champion.pid
    killed = [champion.pid]

    def until(n: int) -> bool:
        if n > 20 and killed:
            os.kill(killed.pop(), signal.SIGKILL)
        return champion.restarts > before and champion.standing is Standing.READY and n > 200

    assert set(asking(alias, until, threads=12)) == {200}
    assert alias.pid == routers
    assert routers
    os.kill(routers, signal.SIGKILL)
    assert ask(alias, question(np.random.default_rng(4))).status_code == 200
    assert alias.restarts == 1


def test_the_address_answers_to_loopback_and_for_one_model_alone(alias: Alias) -> None:
    url = f"{alias.url}/v2/models/model"
    assert httpx.get(url).json()["name"] == "model"
    assert httpx.get(url, headers={"host": "rebound.example.org"}).status_code == 421
    assert httpx.post(f"{url}/infer", headers={"origin": "https://example.org"}).status_code == 421
    for way in ("unload", "unloa%64", "%6Coad"):
        assert httpx.post(f"{alias.url}/v2/repository/models/model/{way}").status_code == 403
    assert ask(alias, b"{").status_code == 400
    assert "Seccomp:\t2" in Path(f"/proc/{alias.pid}/status").read_text()
    assert httpx.get(f"{alias.url}/v2/health/ready").json() == {"ready": True}


def test_an_answer_that_is_cut_off_is_asked_for_again() -> None:
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.settimeout(10)
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"

    def serve() -> None:
        for answer in (head, head + b"ha", head + b"half"):
            assert mine.recv(16) == b"1"
            here, there = socket.socketpair()
            with here:
                with there:
                    socket.send_fds(mine, [b"1"], [there.fileno()])
                here.recv(1 << 16)
                here.sendall(answer)

    with closing(asyncio.new_event_loop()) as loop, mine, theirs:
        working = threading.Thread(target=serve)
        working.start()
        router = Router(Broker(theirs), loop)
        answer = router.once(1, Asked("GET", "/v2", {}, b""))
        working.join()
        router.idle[1].pop().close()
    assert (answer.status, answer.body) == (200, b"half")


def test_bodies_are_bounded_each_and_together() -> None:
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.close()  # no server can be reached
    sent: list[Any] = []
    scope = {"type": "http", "method": "POST", "path": "/v2", "raw_path": b"/v2", "headers": []}

    async def send(message: Any) -> None:
        sent.append(message)

    def status(held: int, *pieces: bytes, ends: str = "http.request") -> int:
        router.held = held
        told = iter([{"type": "http.request", "body": one, "more_body": True} for one in pieces] + [{"type": ends}])

        async def receive() -> Any:
            return next(told)

        loop.run_until_complete(router(scope, receive, send))
        assert (router.here, router.held) == (0, held)
        return int(sent[-2]["status"])

    with closing(asyncio.new_event_loop()) as loop, theirs:
        router = Router(Broker(theirs), loop)
        router.take_up(Plan(1, "m", Behind(1, "m"), None, Terms()))
        assert status(0, b"x") == 502
        assert status(0, bytes(BODY_BYTES), b"x") == 413
        assert status(HELD_BYTES, b"x") == 429
        assert status(0, b"x", ends="http.disconnect") == 400


def test_inputs_that_move_away_from_the_test_data_are_told(
    served: tuple[Servers, Server, Server, Server], alias: Alias, tools: Tools, sample_models: Path
) -> None:
    network, data = sample_models / "fashion_cnn" / "model.onnx", sample_models / "fashion_cnn" / "test.npz"
    model, samples = tools.blobs.put(network), tools.blobs.put(data)
    request = features.ask(Bench(tools), Model(model.sha256, model.size, "onnx"), Data(samples.sha256, data.name))
    assert request.names == ("mean of x", "spread of x")
    pictures = np.load(data)["x"][:400]
    assert [row[0] for row in request.rows] == pytest.approx(np.load(data)["x"][::2].mean(axis=(1, 2, 3)), abs=1e-5)
    alias.watch(request)

    def window(of: np.ndarray) -> tuple[str, ...]:
        before, at = alias.windows, iter(np.concatenate([of, of]))
        with httpx.Client(timeout=60, verify=False) as client:
            while alias.windows == before:
                told = {"name": "x", "datatype": "FP32", "shape": [1, 1, 28, 28], "data": next(at).ravel().tolist()}
                client.post(f"{alias.url}/v2/models/model/infer", content=json.dumps({"inputs": [told]}))
        return tuple(one.name for one in alias.moved)

    assert window(pictures) == ()
    assert window(pictures + pictures.mean(axis=(1, 2, 3)).std()) == ("mean of x",)


def test_a_server_that_is_stopped_is_let_go_first(package: Path, tmp_path: Path) -> None:
    servers = Servers(tmp_path)
    try:
        one, two = (servers.begin(OWNER, name, package, True, SETTINGS) for name in ("one", "two"))
        for server in (one, two):
            server.until_ready(60, lambda: None)
        alias = servers.alias(OWNER, one)
        alias.until_ready(30, lambda: None)
        alias.propose(two, Terms())
        alias.promote()
        servers.stop(two)
        assert (alias.champion, alias.former, alias.standing) == (one, None, Standing.READY)
        assert list(alias.keys.values()) == [one]
        assert ask(alias, question(np.random.default_rng(5))).status_code == 200
        servers.stop(one)
        assert alias.standing is Standing.STOPPED
        assert servers.aliases(OWNER) == []
    finally:
        servers.close()
