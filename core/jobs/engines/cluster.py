"""Which Dask scheduler Portolan speaks to: Dask has no login, so who reaches its port may run any program on every machine.

On loopback that is this machine's own users; anywhere else both sides must show certificates of one authority.
"""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from core.domain.errors import Refused

if TYPE_CHECKING:
    from distributed import Security

FILES = ("PORTOLAN_TLS_CA", "PORTOLAN_TLS_CERT", "PORTOLAN_TLS_KEY")
CERTIFICATES = f"Set {', '.join(FILES)} to PEM files, or Dask's own distributed.comm.tls settings."


def checked(address: str) -> str:
    """Return the scheduler's address with its scheme. Raises Refused for one that is no address or not protected."""
    parts = _split(address if "://" in address else f"tcp://{address}")
    if parts.scheme not in ("tcp", "tls") or not parts.hostname or not parts.port:
        raise Refused(
            f"{address} is not the address of a Dask scheduler.",
            "Set PORTOLAN_SCHEDULER to tls://host:8786, or to tcp://127.0.0.1:8786 on this machine.",
        )
    if parts.scheme == "tcp" and not on_loopback(parts):
        raise Refused(
            f"The scheduler {address} is on another machine and unprotected: anyone on its network could run programs here.",
            f"Start it with certificates, and use tls://{parts.hostname}:{parts.port}. {CERTIFICATES}",
        )
    return parts.geturl()


def is_local(address: str) -> bool:
    """Say whether a checked address is of this machine alone."""
    return on_loopback(urlsplit(address))


def on_loopback(parts: SplitResult) -> bool:
    """Say whether the host is this machine by its name or number; other names are not looked up."""
    try:
        return parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def security(address: str) -> "Security | None":
    """Return the certificates for a checked address, or None for plain loopback. Raises Refused when some are missing."""
    if not address.startswith("tls://"):
        return None
    from distributed import Security

    class NamedPeer(Security):  # type: ignore[misc]
        """Dask's certificates, and the name in the peer's is that of the address, which Dask itself leaves out."""

        def get_connection_args(self, role: str) -> dict[str, Any]:
            """Return how a connection is opened."""
            found: dict[str, Any] = super().get_connection_args(role)
            if found["ssl_context"] is not None:  # there are no certificates for this role
                found["ssl_context"].check_hostname = True
            return found

    given = [os.environ.get(name, "") for name in FILES]
    if any(given):
        found = NamedPeer(
            require_encryption=True, tls_ca_file=given[0], tls_client_cert=given[1], tls_client_key=given[2]
        )
    else:
        found = NamedPeer(require_encryption=True)
    chosen = (found.tls_ca_file, found.tls_client_cert, found.tls_client_key or found.tls_client_cert)
    if not all(chosen):
        raise Refused(f"The scheduler {address} needs certificates that are not set.", CERTIFICATES)
    for file in chosen:
        if "\n" not in file and not Path(file).is_file():
            raise Refused(f"There is no certificate file {file}.", CERTIFICATES)
    return found


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018
    except ValueError:
        return urlsplit("")
    return parts
