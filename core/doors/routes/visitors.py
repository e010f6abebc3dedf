"""Who is asking: the person who signed in, or else a random cookie for each browser.

The store sees only the hash of the cookie, so that a copied database opens no session.
"""

import re
import secrets
from hashlib import sha256

from starlette.requests import HTTPConnection

from core.doors import places, signin
from core.doors.places import Place
from core.doors.routes import cookies, people
from core.doors.routes.answers import Forbidden, NotSignedIn

COOKIE = cookies.VISITOR
YEAR_SECONDS = 365 * 24 * 3600
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """Return 256 random bits as 43 letters for a new cookie."""
    return secrets.token_urlsafe(32)


def new_identity() -> str:
    """Return a random identity for somebody without a cookie; it ends with their session."""
    return "s" + secrets.token_hex(16)


def valid(token: object) -> bool:
    """Say whether a cookie has the shape that this server gives out."""
    return isinstance(token, str) and _TOKEN.fullmatch(token) is not None


def identity(token: object) -> str | None:
    """Return the visitor of a cookie, or None when there is no cookie or its shape is wrong."""
    return "v" + sha256(str(token).encode()).hexdigest()[:32] if valid(token) else None


def place(request: HTTPConnection) -> Place:
    """Return where a request works: the place that it names, or the visitor's own library.

    Raises NotSignedIn, NotFound for a place that is not the person's, or Forbidden without a cookie: there is no shared identity.
    """
    browser = identity(request.cookies.get(COOKIE))
    if person := people.of(request.cookies):
        return places.named(places.of_person(person, browser), request.query_params.get("place"))
    if signin.needed():
        raise NotSignedIn("You are not signed in, or your sign-in is over.", "Open the page and sign in.")
    if browser is None:
        raise Forbidden(
            "The request does not identify its visitor.",
            "Open the page in a browser that keeps cookies for this address, and try again.",
        )
    return places.anonymous(browser)


def writer(request: HTTPConnection) -> Place:
    """Return where a request may change something. Raises Forbidden when another site may have sent it, Refused for a viewer."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site != "same-origin" or "x-requested-with" not in request.headers:
        raise Forbidden(
            "The request does not come from this page.",
            "Use the page itself, or send the header X-Requested-With from a script.",
        )
    found = place(request)
    found.check()
    return found


def set_cookie(token: str) -> str:
    """Return the Set-Cookie header's value: a year, HttpOnly and Lax; what https asks for is added on the way out."""
    return f"{COOKIE}={token}; Path=/; Max-Age={YEAR_SECONDS}; HttpOnly; SameSite=Lax"
