"""What stands before every request and on every response, Streamlit's own included."""

import logging
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.domain.errors import Crashed, NotFound, PortolanError, Refused
from core.domain.reach import allowed_hosts
from core.doors import signin
from core.doors.routes import answers, cookies, signout, visitors

PAGE_POLICY = "; ".join(
    (
        "default-src 'self'",
        # Streamlit loads inline components as modules from blobs; WebAssembly is for models that run in the browser;
        # the hash is that of the one inline script in Streamlit 1.67's page, which sets window.prerenderReady.
        "script-src 'self' blob: 'wasm-unsafe-eval' 'sha256-THxz9J9+wf7rhwR2YkXJoSZ13UCmYyC+3lNDv2+8ugA='",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "frame-src 'self'",
        "frame-ancestors 'self'",
        "base-uri 'self'",
        "form-action 'self'",
        "object-src 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), midi=(), browsing-topics=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
WITHOUT_ORIGIN = ("/netron/", "/graph/")
"""What the sandboxed viewer reads: its origin is opaque, and nothing here looks at cookies."""
WITHOUT_COOKIE = (*WITHOUT_ORIGIN, "/show/")
CLOSED = ("/_stcore/upload_file/",)
"""Streamlit's own uploader, which holds files in memory; no page uses it."""
UNCOMPRESSED = ("/files/", "/graph/")
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9][a-z0-9.-]{0,252})(:[0-9]{1,5})?", re.IGNORECASE)

UNEXPECTED = Crashed("Something went wrong on the server.", "Try again; the server's log has the details.")

log = logging.getLogger("portolan")


class Shield:
    """Refuses foreign hosts and origins, gives browsers their cookie, and puts the security headers on what goes out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through; what nobody expected becomes a sentence with the same headers."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        out = Outgoing(scope, send)
        try:
            admit(scope)
            inner = without_headers(scope)
            await signout.noted(inner)
            await self.app(inner, receive, out)
        except PortolanError as error:
            await answers.sentence(error.trouble, answers.status_of(error))(scope, receive, out)
        except Exception:
            log.exception("%s %s", scope.get("method", "WEBSOCKET"), scope["path"])
            if out.started or scope["type"] == "websocket":
                raise
            await answers.sentence(UNEXPECTED.trouble, 500)(scope, receive, out)


class Outgoing:
    """The way out: adds headers to the first message of a response."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope, self.send, self.started = scope, send, False

    async def __call__(self, message: Message) -> None:
        """Send one message."""
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            self.started = True
            message.setdefault("headers", [])
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if self.scope.get("method") == "PUT" and message["status"] >= 400:
                headers["Connection"] = "close"  # its body may not be read, so that no other request can follow
            self.give_cookie(headers)
            signout.explained(self.scope, headers)
            if cookies.secure(self.scope):
                sent = headers.getlist("set-cookie")
                del headers["set-cookie"]
                for value in sent:
                    headers.append("set-cookie", cookies.prefixed(value))
        await self.send(message)

    def give_cookie(self, headers: MutableHeaders) -> None:
        """Give a browser that opens a page its cookie, or another year for the one that it has."""
        html = headers.get("content-type", "").startswith("text/html")
        if not html or self.scope.get("method") != "GET" or self.scope["path"].startswith(WITHOUT_COOKIE):
            return
        headers["Cache-Control"] = "private, no-cache"
        token = HTTPConnection(without_headers(self.scope)).cookies.get(visitors.COOKIE, "")
        if visitors.valid(token) or not signin.needed():
            headers.append("Set-Cookie", visitors.set_cookie(token if visitors.valid(token) else visitors.new_token()))


def admit(scope: Scope) -> None:
    """Raise Refused for a host that is not ours (DNS rebinding) or Forbidden for an origin that is not the host.

    Streamlit itself admits every origin on localhost, whatever its port, and asks an outside server for its own address
    before it refuses another one; so nothing foreign may reach it.
    """
    headers = Headers(scope=scope)
    here = scope.get("server")
    if here and here[1] is not None and not signin.loopback(here[0]):
        signin.check_reach(here[0])
    hosts = headers.getlist("host")
    host = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if host is None or host[1].lower() not in allowed_hosts():
        raise Refused(
            "This server does not accept that host name.", "Whoever runs the server can add the name to PORTOLAN_HOSTS."
        )
    if any(path in scope["path"] for path in CLOSED):
        raise NotFound("This server takes no files at this address.", "Go back to the page and try again.")
    origin = headers.get("origin")
    if origin is not None and not scope["path"].startswith(WITHOUT_ORIGIN) and urlsplit(origin).netloc != host[0]:
        raise answers.Forbidden("The request comes from another site.", "Open the page at its own address.")


def without_headers(scope: Scope) -> Scope:
    """Take away what must not reach the handlers.

    That is a checked Origin; a cookie that is not of this host; the wish for compression where bytes count; the browser's
    cached copy while it has no cookie, because an answer of "not modified" would give it none; and, on Streamlit's
    websocket, the session that the client would like to have, which could be somebody else's.
    """
    headers = cookies.plain(scope["headers"]) if cookies.secure(scope) else list(scope["headers"])
    if scope["type"] == "websocket":
        return {**scope, "headers": [(name, _without_session(name, value)) for name, value in headers]}
    drop = {b"origin"}
    if scope["path"].startswith(UNCOMPRESSED):
        drop |= {b"accept-encoding"}
    if not visitors.valid(HTTPConnection({**scope, "headers": headers}).cookies.get(visitors.COOKIE)):
        drop |= {b"if-none-match", b"if-modified-since"}
    return {**scope, "headers": [pair for pair in headers if pair[0] not in drop]}


def _without_session(name: bytes, value: bytes) -> bytes:
    """Keep the protocol and the token against forged requests; Streamlit reads a session's id from the third place."""
    return b",".join(value.split(b",")[:2]) if name == b"sec-websocket-protocol" else value
