"""Who can reach this server: the user of this machine alone, or others too."""

import os

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def allowed_hosts() -> set[str]:
    """Return the names that this server answers to: loopback, and the comma-separated ``PORTOLAN_HOSTS``."""
    named = os.environ.get("PORTOLAN_HOSTS", "").lower().split(",")
    return set(LOOPBACK) | {name.strip() for name in named if name.strip()}


def may_install(visitor: str) -> bool:
    """Say whether a visitor may install optional groups on this machine: on a server that its user has alone, or where ``PORTOLAN_INSTALLS=1`` says so."""
    return alone() or os.environ.get("PORTOLAN_INSTALLS") == "1"


def alone() -> bool:
    """Say whether the server listens on loopback and answers to no other name, so that it has one user.

    A proxy on the same machine reaches it on loopback too, but under a name of ``PORTOLAN_HOSTS``.
    """
    return os.environ.get("PORTOLAN_ADDRESS", "127.0.0.1").lower() in {*LOOPBACK, "::1"} and allowed_hosts() <= LOOPBACK
