"""Whether people sign in, where, and who may reach the server without.

The provider is asked by Streamlit (``st.login``) with Authlib; what that needs is given to it in memory. Whoever nobody
signs in is anonymous, which is right for one's own machine: so without a provider the server answers this machine alone.
"""

import hmac
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from core.domain.errors import Refused
from core.domain.person import Role
from core.domain.reach import base

ISSUER, CLIENT, SECRET = "PORTOLAN_OIDC_ISSUER", "PORTOLAN_OIDC_CLIENT_ID", "PORTOLAN_OIDC_CLIENT_SECRET"
SESSION_HOURS = 12.0
LISTS = {
    Role.ADMINISTRATOR: "PORTOLAN_ADMINISTRATORS",
    Role.MEMBER: "PORTOLAN_MEMBERS",
    Role.VIEWER: "PORTOLAN_VIEWERS",
}
"""By role, the setting that lists e-mail addresses and subjects; the highest that names a person counts."""


@dataclass(frozen=True)
class Provider:
    """An OpenID provider, this server as its client, and the address under which browsers open this server."""

    issuer: str
    client: str
    secret: str
    url: str

    def settings(self, key: bytes) -> dict[str, Any]:
        """Return the section ``auth`` of Streamlit's secrets; cookies are signed with what the workspace's key gives."""
        return {
            "redirect_uri": f"{self.url}/oauth2callback",
            "cookie_secret": cookie_secret(key),
            "client_id": self.client,
            "client_secret": self.secret,
            "server_metadata_url": f"{self.issuer.rstrip('/')}/.well-known/openid-configuration",
            "client_kwargs": {"scope": os.environ.get("PORTOLAN_OIDC_SCOPE", "openid email profile")},
        }


def provider(settings: Mapping[str, str] = os.environ) -> Provider | None:
    """Return what the environment says of sign-in, or None where it says nothing. Raises Refused for half a configuration."""
    given = {name: settings.get(name, "").strip() for name in (ISSUER, CLIENT, SECRET)}
    if not any(given.values()):
        return None
    if missing := [name for name, value in given.items() if not value]:
        raise Refused(
            f"Sign-in is configured in part: {', '.join(missing)} is missing.", "Set all of the three, or none."
        )
    for name, address in ((ISSUER, given[ISSUER]), ("PORTOLAN_URL", url(settings))):
        parts = urlsplit(address)
        if parts.scheme != "https" and not (parts.scheme == "http" and loopback(parts.hostname or "")):
            raise Refused(
                f"{name} is not an https address: {address}.", "Only on this machine may it begin with http://."
            )
    if (chosen := settings.get("PORTOLAN_ROLE") or Role.MEMBER) not in list(Role):
        raise Refused(f"PORTOLAN_ROLE is {chosen}, which is no role.", "Set it to viewer, member or administrator.")
    return Provider(given[ISSUER], given[CLIENT], given[SECRET], url(settings))


def url(settings: Mapping[str, str] = os.environ) -> str:
    """Return the address under which browsers open this server: ``PORTOLAN_URL``, or localhost."""
    here = f"http://localhost:{settings.get('PORTOLAN_PORT') or 8501}{base()}"
    return (settings.get("PORTOLAN_URL") or here).rstrip("/")


def needed() -> bool:
    """Say whether nobody gets in without signing in."""
    return provider() is not None and not anonymous()


def anonymous(settings: Mapping[str, str] = os.environ) -> bool:
    """Say whether ``PORTOLAN_ANONYMOUS=1`` lets in whoever reaches the server."""
    return settings.get("PORTOLAN_ANONYMOUS") == "1"


def role(subject: str, email: str, claims: dict[str, Any]) -> Role:
    """Return a person's role: by a list, else by the claim that ``PORTOLAN_ROLE_CLAIM`` names, else ``PORTOLAN_ROLE`` or member."""
    for found, setting in LISTS.items():
        listed = [name.strip() for name in os.environ.get(setting, "").split(",")]
        if subject in listed or (email and email in map(str.lower, listed)):
            return found
    told: Any = claims if (claim := os.environ.get("PORTOLAN_ROLE_CLAIM")) else None
    for part in (claim or "").split("."):
        told = told.get(part) if isinstance(told, dict) else None
    words = told if isinstance(told, list) else [told]
    named = [one for one in LISTS if one.value in words or f"portolan-{one.value}" in words]
    return named[0] if named else Role(os.environ.get("PORTOLAN_ROLE") or Role.MEMBER)


def share_days() -> float:
    """Return for how long a link to a report is good: ``PORTOLAN_SHARE_DAYS``, else 30 days where people sign in, else for good (0)."""
    return float(os.environ.get("PORTOLAN_SHARE_DAYS") or (30 if provider() else 0))


def session_seconds() -> float:
    """Return how long a sign-in lasts: ``PORTOLAN_SESSION_HOURS``, or twelve hours."""
    return float(os.environ.get("PORTOLAN_SESSION_HOURS") or SESSION_HOURS) * 3600


def check_reach(address: str | None, settings: Mapping[str, str] = os.environ) -> None:
    """Raise Refused where strangers would reach a server that asks nobody who they are; no address means every address."""
    if anonymous(settings) or provider(settings) is not None:
        return
    named = [name.strip() for name in settings.get("PORTOLAN_HOSTS", "").split(",") if name.strip()]
    if outer := [name for name in (address or "0.0.0.0", *named) if not loopback(name)]:  # noqa: S104
        raise Refused(
            f"Without sign-in this server answers its own machine only, and it was told to answer {', '.join(outer)}.",
            f"Configure sign-in ({ISSUER}, {CLIENT}, {SECRET}), "
            "or set PORTOLAN_ANONYMOUS=1 to let in everybody who reaches it.",
        )


def cookie_secret(key: bytes) -> str:
    """Return what signs Streamlit's cookies, of the workspace's own key."""
    return hmac.new(key, b"sign-in cookies", "sha256").hexdigest()


def loopback(host: str) -> bool:
    """Say whether an address or name means this machine."""
    try:
        found = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.lower() == "localhost"
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback
