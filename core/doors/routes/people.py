"""Who signed in: Streamlit's signed identity cookie, read anew for every request and every run of a page.

Streamlit checks the provider's token when somebody comes back from there and signs what it says into a cookie. Here that
cookie counts if this workspace signed it, lately enough, for this server and for its provider, and if the person has not
signed out since, in any browser.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadData, URLSafeTimedSerializer

from core.domain.person import Person
from core.doors import signin, workspace
from core.doors.routes import cookies, links

APART_SECONDS = 5.0
"""A long cookie comes in pieces, signed one by one; they are of one sign-in if they were signed at one time."""


def of(sent: Mapping[str, str]) -> Person | None:
    """Return the person of a request's cookies, or None."""
    found = signed_for(sent)
    return found[0] if found and workspace.current().store.people.keep(*found) else None


def signed_for(sent: Mapping[str, str]) -> tuple[Person, float] | None:
    """Return whom the cookies are signed for, and when, without a look whether the person has signed out since; or None."""
    provider = signin.provider()
    if provider is None or cookies.PERSON not in sent:
        return None
    found = signed(sent, signin.cookie_secret(links.key(workspace.current().home)), signin.session_seconds())
    person = named(found[0], provider) if found else None
    return (person, found[1]) if found and person else None


def signed(sent: Mapping[str, str], secret: str, seconds: float) -> tuple[dict[str, Any], float] | None:
    """Return the claims in the identity cookie and when it was signed, or None for one that is forged, old or patched together."""
    try:
        text, at = _piece(sent, cookies.PERSON, secret, seconds)
        if text.startswith("chunks-"):
            count = int(text.removeprefix("chunks-"))
            pieces = [_piece(sent, f"{cookies.PERSON}_{number + 1}", secret, seconds) for number in range(count)]
            if any(abs(when - at) > APART_SECONDS for _, when in pieces):
                return None
            text = "".join(piece for piece, _ in pieces)
        claims = json.loads(text, object_pairs_hook=_once)
    except (BadData, KeyError, ValueError):
        return None
    return (claims, at) if isinstance(claims, dict) else None


def named(claims: dict[str, Any], provider: signin.Provider) -> Person | None:
    """Return the person whom claims name, or None where they are not this provider's, for this server."""
    audience = claims.get("aud")
    parts = urlsplit(provider.url)
    facts = (
        claims.get("is_logged_in") is True,
        claims.get("origin") == f"{parts.scheme}://{parts.netloc}",
        str(claims.get("iss", "")).rstrip("/") == provider.issuer.rstrip("/"),
        provider.client in (audience if isinstance(audience, list) else [audience]),
        isinstance(claims.get("sub"), str) and claims["sub"] != "",
    )
    if not all(facts):
        return None
    email = str(claims.get("email") or "") if claims.get("email_verified") is True else ""
    name = str(claims.get("name") or claims.get("preferred_username") or email or claims["sub"])
    role = signin.role(claims["sub"], email.lower(), claims)
    return Person(provider.issuer, claims["sub"], name, email.lower(), role)


def _piece(sent: Mapping[str, str], name: str, secret: str, seconds: float) -> tuple[str, float]:
    """Return one signed cookie's text and time. Raises KeyError or BadData."""
    text, at = URLSafeTimedSerializer(secret, salt=name).loads(sent[name], max_age=int(seconds), return_timestamp=True)
    return str(text), at.timestamp()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)
