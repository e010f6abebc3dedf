"""Streamlit's own routes that no page of ours needs: what they tell is not for everybody, and there is no switch for them."""

import re

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from core.doors.routes import answers

CLOSED = re.compile(r"/_stcore/(metrics|script-health-check|agent)(/|$)")


class Closed:
    """Answers these paths, wherever they are mounted, with a 404."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass any other request through."""
        if scope["type"] == "http" and CLOSED.search(scope["path"]):
            return await answers.nothing_here(Request(scope))(scope, receive, send)
        return await self.app(scope, receive, send)
