"""How many pages and uploads are open at once, of one visitor and of all together; who comes beyond is told to wait."""

from collections import Counter

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from core.domain.bounds import bounds
from core.domain.errors import TooMany
from core.doors.routes import people, visitors

PAGES, UPLOADS = "pages", "uploads"
ALL = ""


class Crowd:
    """Counts what lasts: the connection of an open page, and a body that comes in."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self._open = app, Counter[tuple[str, str]]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one in, or raise TooMany."""
        kind = PAGES if scope["type"] == "websocket" else UPLOADS if scope.get("method") == "PUT" else None
        if kind is None:
            return await self.app(scope, receive, send)
        places = [(kind, ALL), (kind, visitor(scope))]
        self._admit(*places)
        self._open.update(places)
        try:
            await self.app(scope, receive, send)
        finally:
            self._open.subtract(places)
            self._open += Counter()  # forgets who has nothing open

    def _admit(self, every: tuple[str, str], own: tuple[str, str]) -> None:
        bound, kind = bounds(), own[0]
        most, each = (bound.pages, bound.pages_each) if kind == PAGES else (bound.uploads, bound.uploads_each)
        if self._open[own] >= each:
            raise TooMany(
                f"You have {each} {kind if each != 1 else kind[:-1]} open, as many as one visitor may.",
                "Close one, or wait for its end.",
            )
        if self._open[every] >= most:
            raise TooMany(f"This server has {most} {kind} open, as many as it may.", "Try again in a moment.")


def visitor(scope: Scope) -> str:
    """Return whose connection this is: a person's, else a browser's, or else an address's."""
    sent = HTTPConnection(scope).cookies
    if found := people.signed_for(sent):
        return found[0].id
    return visitors.identity(sent.get(visitors.COOKIE)) or str((scope.get("client") or ("nobody",))[0])
