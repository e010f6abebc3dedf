"""The names of our cookies: with the prefix ``__Host-`` behind https, where a browser then takes them from this host alone.

The handlers know the plain names only. Behind https a cookie that came under its plain name, which a neighbouring
subdomain could have set, does not reach them.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import Scope

from core.doors import signin

PREFIX = "__Host-"
VISITOR = "portolan_visitor"
PERSON = "_streamlit_user"
_OURS = re.compile(rf"({VISITOR}|{PERSON}|{PERSON}_tokens|_streamlit_session)(_[0-9]+)?")
_PATH = re.compile(r"(?i); *path=[^;]*")
Header = tuple[bytes, bytes]


def secure(scope: Scope) -> bool:
    """Say whether the browser reaches this server by https, by its own address or as a proxy on this machine says."""
    return scope["scheme"] in ("https", "wss") or urlsplit(signin.url()).scheme == "https"


def plain(headers: Iterable[Header]) -> list[Header]:
    """Return the headers of a request behind https with our cookies under their plain names, and no others under those."""
    return [(name, _renamed(value) if name == b"cookie" else value) for name, value in headers]


def _renamed(value: bytes) -> bytes:
    kept = []
    for pair in value.decode("latin-1").split(";"):
        name, _, rest = pair.strip().partition("=")
        if not _OURS.fullmatch(name.strip()):
            bare = name.removeprefix(PREFIX)
            kept.append(f"{bare if _OURS.fullmatch(bare) else name}={rest}")
    return "; ".join(kept).encode("latin-1")


def prefixed(set_cookie: str) -> str:
    """Return a Set-Cookie header for https: Secure, and ours with the prefix, which asks for the path ``/``."""
    value = set_cookie if re.search(r"(?i); *secure(;|$)", set_cookie) else f"{set_cookie}; Secure"
    if _OURS.fullmatch(set_cookie.partition("=")[0]):
        value = PREFIX + _PATH.sub("", value, count=1) + "; Path=/"
    return value
