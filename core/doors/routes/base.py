"""The path below which all of it is served, for a proxy that has other things at the same host: ``PORTOLAN_BASE_PATH``.

Streamlit is told the same path and keeps it on its own routes; ours lose it at the door, and get it back in every link.
"""

import os

from starlette.types import ASGIApp, Receive, Scope, Send

PREFIXES = ("/api/", "/files/", "/graph/", "/netron/", "/ort/", "/show/", "/healthz", "/readyz", "/metrics")


def base() -> str:
    """Return the path, such as ``/portolan``, or nothing."""
    chosen = os.environ.get("PORTOLAN_BASE_PATH", "").strip("/")
    return f"/{chosen}" if chosen else ""


class Based:
    """Takes the path away from requests for routes of ours."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on under the path that the routes know."""
        start = base()
        if start and scope["type"] == "http" and scope["path"].startswith(tuple(start + one for one in PREFIXES)):
            raw = scope.get("raw_path") or scope["path"].encode()
            scope = {**scope, "path": scope["path"][len(start) :], "raw_path": raw[len(start) :]}
        await self.app(scope, receive, send)
