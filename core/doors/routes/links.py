"""Signed links: whoever holds one may fetch one blob under one name until it expires."""

import functools
import hmac
import os
import re
import secrets
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from core.domain.errors import NotFound
from core.domain.reach import base
from core.doors import workspace
from core.doors.routes.answers import Expired

LIFE_SECONDS = 3600
ROUND_SECONDS = 600
"""Expiry times are rounded up, so that a page that is drawn again within ten minutes has the same links."""

FRESH = "Reload the page for a fresh one."

_SHA256 = re.compile(r"[0-9a-f]{64}")
_EXPIRY = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True)
class Signer:
    """Makes and checks links with one workspace's key."""

    key: bytes

    def link(self, prefix: str, sha256: str, name: str, now: float | None = None) -> str:
        """Return ``/prefix/sha256/expiry/signature/name``, good for an hour to an hour and ten minutes."""
        expiry = -(-int((time.time() if now is None else now) + LIFE_SECONDS) // ROUND_SECONDS) * ROUND_SECONDS
        name = safe_name(name)
        return f"{base()}/{prefix}/{sha256}/{expiry}/{self.sign(prefix, sha256, expiry, name)}/{quote(name, safe='')}"

    def verify(self, prefix: str, parts: dict[str, Any], now: float | None = None) -> tuple[str, str]:
        """Return SHA-256 and name of a link's parts. Raises NotFound for one that we did not sign, Expired for an old one."""
        sha256, expiry, name, given = (str(parts[key]) for key in ("sha256", "expiry", "name", "signature"))
        shaped = _SHA256.fullmatch(sha256) and _EXPIRY.fullmatch(expiry)
        if not shaped or not same(self.sign(prefix, sha256, int(expiry), name), given):
            raise NotFound("This link is not valid: it was changed, or another server made it.", FRESH)
        if int(expiry) < (time.time() if now is None else now):
            raise Expired("This link has expired; links are good for an hour.", FRESH)
        return sha256, name

    def sign(self, prefix: str, sha256: str, expiry: int, name: str) -> str:
        """Return 160 bits of the HMAC over all that a link grants, as hex letters."""
        message = "\n".join((prefix, sha256, str(expiry), name)).encode("utf-8", "surrogatepass")
        return hmac.digest(self.key, message, "sha256").hex()[:40]


def file_link(sha256: str, name: str) -> str:
    """Return the path from which a blob downloads under a name."""
    return signer().link("files", sha256, name)


def graph_link(sha256: str, name: str) -> str:
    """Return the path from which the viewer reads a graph without weights."""
    return signer().link("graph", sha256, name)


def signer() -> Signer:
    """Return the signer of this process's workspace."""
    return Signer(key(workspace.current().home))


def same(ours: str, theirs: str) -> bool:
    """Compare two signatures in a time that tells nothing."""
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "replace"))


@functools.lru_cache(maxsize=4)
def key(home: Path) -> bytes:
    """Return the signing key of a workspace: 32 random bytes in a file that only its owner reads."""
    path = home / "links.key"
    if not path.exists():
        part = home / f"links.key.{secrets.token_hex(4)}.part"
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    return path.read_bytes()


def safe_name(name: str) -> str:
    """Return the last part of a path as a file name that no system takes for anything else, at most 120 characters long."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    kept = "".join(c for c in last if c.isprintable() and c not in '"<>:|?*%').strip(" .")
    stem, dot, suffix = kept.rpartition(".")
    return (f"{stem[:100]}{dot}{suffix[:19]}" if stem else kept[:120]) or "model"
