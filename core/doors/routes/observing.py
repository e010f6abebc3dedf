"""What is counted and logged of every request, Streamlit's included: an id, the route, the status, bytes and seconds.

The path itself is not logged, since a signed link and the name of a share open what they lead to.
"""

import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.domain.reach import base
from core.domain.tracing import REQUEST, during
from core.doors import logs
from core.doors.routes import metrics

GIVEN = re.compile(r"[A-Za-z0-9._-]{8,64}")
OURS = re.compile(
    r"/(api/(?:models|data|jobs)|files|graph|show|netron|ort|healthz|readyz|metrics|_stcore/\w+|media|static)\b"
)
log = logging.getLogger("portolan.requests")


class Observed:
    """The outermost layer: gives a request its id, which the response carries and every line of the log names."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        seen = Seen(scope, receive, send)
        with during(REQUEST, seen.id), metrics.OPEN.labels(seen.route).track_inprogress():
            try:
                await self.app(scope, seen.receive, seen.send)
            finally:
                seen.end()


class Seen:
    """One request on its way: the bytes that came in and went out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("x-request-id", "")
        self.id = given if GIVEN.fullmatch(given) else secrets.token_hex(8)
        self.method = scope.get("method", "WEBSOCKET")
        self.route = route(scope["path"])
        self._receive, self._send = receive, send
        self._began, self._status, self._in, self._out = time.monotonic(), 0, 0, 0

    async def receive(self) -> Message:
        """Hand a message in."""
        message = await self._receive()
        self._in += len(message.get("body") or message.get("bytes") or b"")
        return message

    async def send(self, message: Message) -> None:
        """Hand a message out; the first of a response gets the request's id."""
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            self._status = message["status"]
            message.setdefault("headers", [])
            MutableHeaders(scope=message)["X-Request-ID"] = self.id
        elif message["type"] == "websocket.accept":
            self._status = 101
        self._out += len(message.get("body") or message.get("bytes") or b"")
        await self._send(message)

    def end(self) -> None:
        """Count the request, and log it."""
        seconds = time.monotonic() - self._began
        metrics.request(self.route, self.method, self._status, self._in, self._out, seconds)
        if logs.chosen():
            fields = {"method": self.method, "route": self.route, "status": self._status}
            fields |= {"bytes_in": self._in, "bytes_out": self._out, "seconds": round(seconds, 4)}
            log.info("%s %s %s", self.method, self.route, self._status, extra={"fields": fields})


def route(path: str) -> str:
    """Return the part of a path that says what is asked for, and nothing of whom or which."""
    found = OURS.match(path.removeprefix(base()))
    return f"/{found[1]}" if found else "/"
