"""The door of a server that answers on loopback: whoever asks must call it by a name of loopback.

A browser can be led to loopback under a name of somebody else's (DNS rebinding), or sent there by a page of another site;
the first is seen by ``Host``, the second by ``Origin``, which programs do not send.
"""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from core.domain.reach import LOOPBACK

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9][a-z0-9.-]{0,252})(:[0-9]{1,5})?", re.IGNORECASE)
REFUSAL = json.dumps({"error": "This server answers to localhost and 127.0.0.1 only."}).encode()
STATUS = 421
"""Misdirected Request: RFC 9110, section 15.5.20."""


class Door:
    """Refuses requests under other names and from pages of other sites, and passes the others on."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421 to what comes under a foreign name."""
        if scope["type"] == "http" and not called_here(scope["headers"]):
            head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(REFUSAL))]
            await send({"type": "http.response.start", "status": STATUS, "headers": head})
            await send({"type": "http.response.body", "body": REFUSAL})
            return
        await self._app(scope, receive, send)


def called_here(headers: list[tuple[bytes, bytes]]) -> bool:
    """Say whether a request has one ``Host``, which is a name of loopback, and no ``Origin`` but that one."""
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    host = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if host is None or host[1].lower() not in LOOPBACK:
        return False
    origins = [value.decode("latin-1") for name, value in headers if name == b"origin"]
    return all(_from(origin) == hosts[0] for origin in origins)


def _from(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None
