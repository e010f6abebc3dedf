"""The child side of an alias: one address in front of a champion and a challenger, behind the walls of the jail.

Started by ``core/sandbox/aliases.py`` as ``python -m core.doors.routed PARENT SOCKET BROKER``. It can open no connection: it
asks over the broker's socket for one to a server of its plan, and the parent hands it over. Plans come as lines on stdin, what
happened goes as lines to stdout.

Who gets the challenger is decided by a hash of the header ``X-Canary-Id``, else of the ``id`` in the request's JSON, else of
the request itself, so that one who is asked for stays where they are for as long as the challenger does. Where the challenger
has no answer, the champion gives it. A mirrored request is answered to the client first, then put to the other server too.
"""

import asyncio
import http.client
import importlib
import json
import os
import socket
import sys
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from core.border import jail
from core.border.loopback import Door, Receive, Scope, Send
from core.domain.canary import Event, Happening, Plan
from core.domain.codec import decode, encode
from core.domain.limits import ROUTING
from core.doors.worker import die_with

LIBRARIES = ("numpy", "uvicorn", "uvicorn.lifespan.off", "core.proof.agreeing", "core.proof.drifting")
BODY_BYTES, HELD_BYTES = 64 << 20, 256 << 20
"""Of one request, and of all that are read and answered at the same time."""

ID_BYTES = 1 << 20
"""A longer request is not read for its id before it is passed on."""
ANSWER_SECONDS, WAKING_SECONDS, TRIES = 30.0, 10.0, 3
THREADS, MIRRORS, INSIDE = 48, 4, 256
DIFFERENT = 500_000
"""Requests that are remembered, so that each counts once; beyond, none is compared."""
LENGTH = b"inference-header-content-length"
PASSED = (b"content-type", LENGTH, b"content-encoding", b"accept")
RETURNED = ("content-type", "inference-header-content-length", "retry-after")
Words = Mapping[str, object]
Refusal = tuple[int, Words]
"""A status, and what is said with it."""

TOO_MANY: Words = {"error": "Too many requests wait. Try again in a second."}


@dataclass(frozen=True)
class Asked:
    """One request, as it is passed on."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def length(self) -> str | None:
        """The length of the JSON where tensors follow as bytes."""
        return self.headers.get(LENGTH.decode())


@dataclass(frozen=True)
class Answered:
    """What a server gave; the status is 0 where it gave nothing."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def failed(self) -> bool:
        """Say whether the server, and not the request, is the cause that there is no answer."""
        return self.status in (0, 429) or self.status >= 500

    @property
    def length(self) -> str | None:
        """The length of the JSON where tensors follow as bytes."""
        return self.headers.get(LENGTH.decode())


class Connection(http.client.HTTPConnection):
    """A connection that the parent opens."""

    def __init__(self, broker: "Broker", key: int) -> None:
        super().__init__("127.0.0.1", timeout=ANSWER_SECONDS)
        self._broker, self._key = broker, key

    def connect(self) -> None:
        """Take one from the parent. Raises OSError where the server is gone."""
        self.sock = self._broker.connection(self._key)
        self.sock.settimeout(ANSWER_SECONDS)


class Broker:
    """The socket over which the parent hands out connections."""

    def __init__(self, end: socket.socket) -> None:
        self._end, self._lock = end, threading.Lock()

    def connection(self, key: int) -> socket.socket:
        """Return a new connection to a server. Raises OSError."""
        with self._lock:
            self._end.send(b"%d" % key)
            _, given, _, _ = socket.recv_fds(self._end, 16, 1)
        if not given:
            raise ConnectionRefusedError("the server is gone")
        return socket.socket(fileno=given[0])


class Router:
    """Passes requests on by the plan, compares answers, and tells what happened."""

    def __init__(self, broker: Broker, loop: asyncio.AbstractEventLoop) -> None:
        self.broker, self.loop, self.plan = broker, loop, None
        # A challenger that hangs keeps threads of its own busy, and nobody whom the champion answers waits for it.
        self.pool, self.trial = ThreadPoolExecutor(THREADS), ThreadPoolExecutor(THREADS)
        self.mirrors = ThreadPoolExecutor(MIRRORS)
        self.idle: dict[int, deque[Connection]] = defaultdict(deque)
        self.inside, self.draining, self.compared = Counter[int](), set[int](), set[bytes]()
        self.names = dict[int, str]()
        self.here = self.held = self.mirroring = 0
        self.lock = threading.Lock()

    plan: Plan | None

    def tell(self, what: Happening, **facts: Any) -> None:
        """Write one line for the parent."""
        number = self.plan.number if self.plan is not None else 0
        line = json.dumps(encode(Event(what, **{"number": number, **facts})))
        with self.lock:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    def take_up(self, plan: Plan) -> None:
        """Follow another plan from now on; what is inside a server that it does not name is still answered."""
        before, used = self.plan, behind(plan)
        self.names |= {one.key: one.name for one in (plan.champion, plan.challenger) if one is not None}
        self.plan = plan
        self.tell(Happening.PLANNED)
        if before is not None:
            if before.challenger != plan.challenger:
                self.compared.clear()
            self.draining |= behind(before)
        self.draining -= used
        self.drained()

    def drained(self) -> None:
        """Tell of servers that nobody waits for any more."""
        for key in [key for key in self.draining if not self.inside[key]]:
            self.draining.discard(key)
            while self.idle[key]:
                self.idle[key].popleft().close()
            self.tell(Happening.DRAINED, key=key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        method, path = scope["method"], scope["raw_path"].decode("latin-1").partition("?")[0]
        if path == "/v2/health/live":
            return await refuse(send, 200, {"live": True})
        plan = self.plan
        if plan is None:
            return await refuse(send, 503, {"error": "No server stands behind this address yet."})
        if scope["path"].endswith(("/load", "/unload")):  # decoded, as the server behind reads it
            return await refuse(send, 403, {"error": "Models are loaded and unloaded at their own server."})
        if self.here >= INSIDE:
            return await refuse(send, 429, TOO_MANY)
        body, headers = bytearray(), dict(scope["headers"])
        self.here += 1
        try:
            if trouble := await self.read(receive, body):
                return await refuse(send, *trouble)
            passed = {name.decode(): headers[name].decode("latin-1") for name in PASSED if name in headers}
            asked = Asked(method, path, passed, bytes(body))
            if method == "POST" and path.endswith("/infer"):
                await self.infer(plan, asked, headers.get(b"x-canary-id"), send)
            else:
                await deliver(send, await self.ask(plan, plan.champion.key, asked), "champion")
        finally:
            self.here -= 1
            self.held -= len(body)

    async def read(self, receive: Receive, body: bytearray) -> Refusal | None:
        """Read a body to its end; return why not, where it is too large, there is no room for it now, or it ends early."""
        while True:
            message = await receive()
            piece = message.get("body", b"")
            body += piece
            self.held += len(piece)
            if message["type"] == "http.disconnect":
                return 400, {"error": "The request ended early."}
            if len(body) > BODY_BYTES:
                return 413, {"error": f"The body is larger than {BODY_BYTES >> 20} MB."}
            if self.held > HELD_BYTES:
                return 429, TOO_MANY
            if not message.get("more_body"):
                return None

    async def infer(self, plan: Plan, asked: Asked, named: bytes | None, send: Send) -> None:
        """Answer by champion or challenger, and have the other one answer too where that is asked."""
        from core.proof.agreeing import chance

        key, terms = plan.champion.key, plan.terms
        other = plan.challenger.key if plan.challenger is not None else None
        if other is not None and terms.share > 0 and chance(f"{other}", identity(asked, named)) < terms.share:
            key = other
        began = time.perf_counter()
        answer = spare = await self.ask(plan, key, asked)
        if key == other and answer.failed:
            spare = await self.ask(plan, plan.champion.key, asked)
        await deliver(send, spare, "challenger" if key == other and spare is answer else "champion")
        self.tell(
            Happening.ANSWERED, key=key, status=spare.status, ms=1e3 * (time.perf_counter() - began), number=plan.number
        )
        mirrored = other is not None and chance("mirror", asked.body) < terms.mirror
        if self.mirroring >= 2 * MIRRORS:
            if mirrored:
                self.tell(Happening.SKIPPED, number=plan.number)
        elif mirrored or plan.features:
            self.mirroring += 1
            self.loop.run_in_executor(self.mirrors, self.beside, plan, asked, key, answer, spare, mirrored)

    def beside(self, plan: Plan, asked: Asked, key: int, answer: Answered, spare: Answered, mirrored: bool) -> None:
        """Do what no client waits for: tell the numbers of a request, and compare the answers of both servers."""
        try:
            if plan.features and spare.status == 200:
                self.seen(plan, asked)
            if mirrored:
                found = self.compare(plan, asked, key, answer, spare)
                what = Happening.SKIPPED if found is None else Happening.COMPARED
                self.tell(what, number=plan.number, differ=found is False)
        finally:
            self.loop.call_soon_threadsafe(self.done_beside)

    def done_beside(self) -> None:
        """Count one thing less that no client waits for."""
        self.mirroring -= 1

    def seen(self, plan: Plan, asked: Asked) -> None:
        """Tell the numbers of the first sample in a request."""
        from core.proof import agreeing, drifting

        with suppress(ValueError, KeyError, TypeError, RecursionError, OverflowError):
            inputs = agreeing.tensors(asked.body, asked.length, "inputs")
            row = [float(one[0]) for one in drifting.features({name: one[:1] for name, one in inputs.items()}).values()]
            if len(row) == plan.features:
                self.tell(Happening.SEEN, number=plan.number, row=tuple(row))

    def compare(self, plan: Plan, asked: Asked, key: int, answer: Answered, spare: Answered) -> bool | None:
        """Say whether both servers answer a request alike; None where the champion has no answer, or the request was seen before."""
        from core.proof import agreeing

        if plan.challenger is None:
            return None
        if key == plan.champion.key:
            champion, challenger = answer, self.exchange(plan, plan.challenger.key, asked)
        else:
            champion = spare if spare is not answer else self.exchange(plan, plan.champion.key, asked)
            challenger = answer
        if champion.status != 200 or challenger.status == 429:
            return None
        try:
            seen = blake2b(agreeing.asked(asked.body, asked.length), digest_size=16).digest()
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        with self.lock:
            if (
                seen in self.compared
                or len(self.compared) >= DIFFERENT
                or self.plan is None
                or self.plan.challenger != plan.challenger
            ):
                return None
            self.compared.add(seen)
        pair = (champion.body, champion.length), (challenger.body, challenger.length)
        return challenger.status == 200 and agreeing.alike(*pair, plan.terms.tolerance)

    async def ask(self, plan: Plan, key: int, asked: Asked) -> Answered:
        """Have a server answer."""
        self.inside[key] += 1
        try:
            threads = self.pool if key == plan.champion.key else self.trial
            return await self.loop.run_in_executor(threads, self.exchange, plan, key, asked)
        finally:
            self.inside[key] -= 1
            self.drained()

    def exchange(self, plan: Plan, key: int, asked: Asked) -> Answered:
        """Have a server answer, and wait a little for one that was begun again and has not loaded its model yet."""
        asked = replace(asked, path=renamed(asked.path, plan.name, self.names[key]))
        ends = time.monotonic() + WAKING_SECONDS
        while (answer := self.once(key, asked)).status == 503 and time.monotonic() < ends:
            time.sleep(0.05)
        return answer

    def idle_one(self, key: int) -> list[Connection]:
        """Take one idle connection, where there is one; where that turns out to be closed, the others will be too, so new ones follow."""
        try:
            return [self.idle[key].pop()]
        except IndexError:
            return []

    def once(self, key: int, asked: Asked) -> Answered:
        """Send a request on an idle connection or a new one, again where it breaks: an inference changes nothing."""
        for connection in (*self.idle_one(key), *(Connection(self.broker, key) for _ in range(TRIES))):
            try:
                connection.request(asked.method, asked.path, asked.body, asked.headers)
                answer = connection.getresponse()
                body = answer.read(BODY_BYTES)
                headers = {name: value for name in RETURNED if (value := answer.getheader(name)) is not None}
            except TimeoutError:
                connection.close()
                return Answered(0)
            except (OSError, http.client.HTTPException, ValueError):
                connection.close()
                continue
            whole = answer.isclosed() and not answer.length
            if whole and not answer.will_close:
                self.idle[key].append(connection)
            else:
                connection.close()
            if whole:
                return Answered(answer.status, headers, body)
            if len(body) == BODY_BYTES:
                return told(502, {"error": f"The answer is larger than {BODY_BYTES >> 20} MB."})
        return Answered(0)


def behind(plan: Plan) -> set[int]:
    """Return the keys of the servers that answer."""
    return {one.key for one in (plan.champion, plan.challenger) if one is not None}


def renamed(path: str, name: str, other: str) -> str:
    """Return a path with another name for the model, where it has the one."""
    head = f"/v2/models/{name}"
    return f"/v2/models/{other}{path[len(head) :]}" if path == head or path.startswith(f"{head}/") else path


def identity(asked: Asked, named: bytes | None) -> bytes:
    """Return by what a request is sent to one of two servers."""
    if named:
        return named
    if len(asked.body) <= ID_BYTES:
        from core.proof.agreeing import parts

        with suppress(ValueError, TypeError, AttributeError, RecursionError):
            id = parts(asked.body, asked.length)[0].get("id")
            if isinstance(id, str) and id:
                return id.encode(errors="replace")
    return asked.body


async def deliver(send: Send, answer: Answered, who: str) -> None:
    """Pass an answer on, with the word which server gave it."""
    if answer.status == 0:
        return await refuse(send, 502, {"error": "The server behind this address does not answer."})
    head = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    head += [(b"content-length", b"%d" % len(answer.body)), (b"x-served-by", who.encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": head})
    await send({"type": "http.response.body", "body": answer.body})


def told(status: int, words: Words) -> Answered:
    """Return an answer in the router's own words."""
    return Answered(status, {"content-type": "application/json"}, json.dumps(words).encode())


async def refuse(send: Send, status: int, words: Words) -> None:
    """Answer in the router's own words."""
    await deliver(send, told(status, words), "alias")


def follow(router: Router) -> None:
    """Take up the plans that come, and end with their source."""
    for line in sys.stdin:
        router.loop.call_soon_threadsafe(router.take_up, decode(Plan, json.loads(line)))
    os._exit(0)


def main() -> None:
    """Route until a signal."""
    die_with(int(sys.argv[1]))
    listening, broker = (socket.socket(fileno=int(word)) for word in sys.argv[2:4])
    for name in LIBRARIES:
        importlib.import_module(name)
    import uvicorn

    loop = asyncio.new_event_loop()
    jail.libraries()
    jail.lock_server(Path.cwd(), ROUTING)
    os.environ["TMPDIR"] = str(Path("tmp").resolve())
    router = Router(Broker(broker), loop)
    threading.Thread(target=follow, args=(router,), daemon=True).start()
    config = uvicorn.Config(
        Door(router), lifespan="off", access_log=False, log_level="warning", ws="none", server_header=False,
        timeout_graceful_shutdown=10,
    )  # fmt: skip
    loop.run_until_complete(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
