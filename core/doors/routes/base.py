"""The path below which all of it is served, for a proxy that has other things at the same host: ``PORTOLAN_BASE_PATH``.

Streamlit is told the same path and keeps it on its own routes; ours lose it at the door, and get it back in every link.
"""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from core.domain.reach import base


class Based:
    """Takes the path away from requests for routes of ours, which the first names of their paths tell."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on under the path that the routes know."""
        start = base()
        if start and scope["type"] == "http" and scope["path"].startswith(f"{start}/"):
            scope = self.below(scope, len(start))
        await self.app(scope, receive, send)

    def below(self, scope: Scope, length: int) -> Scope:
        """Return a request for a route of ours without so many letters of its path, any other as it is."""
        path = scope["path"][length:]
        if path.split("/")[1] not in self.names:
            return scope
        raw = scope.get("raw_path") or scope["path"].encode()
        return {**scope, "path": path, "raw_path": raw[length:]}
