"""Who can reach this server, and where: the user of this machine alone, or others too, perhaps below a path."""

import os
from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def allowed_hosts() -> set[str]:
    """Return the names that this server answers to: loopback, that of ``PORTOLAN_URL``, and the comma-separated ``PORTOLAN_HOSTS``."""
    named = [
        *os.environ.get("PORTOLAN_HOSTS", "").lower().split(","),
        urlsplit(os.environ.get("PORTOLAN_URL", "")).hostname or "",
    ]
    return set(LOOPBACK) | {name.strip() for name in named if name.strip()}


def may_install(visitor: str) -> bool:
    """Say whether a visitor may install optional groups on this machine: on a server that its user has alone, or where ``PORTOLAN_INSTALLS=1`` says so.

    Where people sign in, their role says who may (core/doors/places.py).
    """
    return alone() or bool(os.environ.get("PORTOLAN_OIDC_ISSUER")) or os.environ.get("PORTOLAN_INSTALLS") == "1"


def may_serve() -> bool:
    """Say whether packages may be served on this machine at all: on a server that its user has alone, or where people sign in, by administrators."""
    return alone() or bool(os.environ.get("PORTOLAN_OIDC_ISSUER"))


def alone() -> bool:
    """Say whether the server listens on loopback, answers to no other name and asks nobody to sign in, so that it has one user.

    A proxy on the same machine reaches it on loopback too, but under a name of ``PORTOLAN_HOSTS``.
    """
    listens = os.environ.get("PORTOLAN_ADDRESS", "127.0.0.1").lower() in {*LOOPBACK, "::1"}
    return listens and allowed_hosts() <= LOOPBACK and not os.environ.get("PORTOLAN_OIDC_ISSUER")


def base() -> str:
    """Return the path below which all of it is served, such as ``/portolan``, or nothing: ``PORTOLAN_BASE_PATH``."""
    chosen = os.environ.get("PORTOLAN_BASE_PATH", "").strip("/")
    return f"/{chosen}" if chosen else ""
