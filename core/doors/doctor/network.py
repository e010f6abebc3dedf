"""The network: the port, the names that the server answers to, certificates, and the cluster."""

import socket
import ssl
import stat
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.domain.errors import PortolanError, first_line
from core.doors.doctor import Complaint, Place, Tell, fault, note, told
from core.doors.doctor.home import running
from core.doors.signin import check_reach, loopback
from core.jobs.engines.cluster import FILES, checked, security
from core.jobs.engines.dask import share_of

SECONDS = 5.0
SOON_DAYS = 14


def port(place: Place, tell: Tell) -> Iterator[Complaint]:
    """The port is free, unless the server of this home holds it."""
    address, number = place.environment.get("PORTOLAN_ADDRESS") or "127.0.0.1", _port(place)
    if running(place.home):
        return
    try:
        family, _, _, _, at = socket.getaddrinfo(address, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(at)
    except OSError as error:
        yield fault(
            f"Port {number} on {address} cannot be used: {error.strerror or first_line(error)}.",
            "Stop the program that uses it, or set PORTOLAN_PORT and PORTOLAN_ADDRESS.",
        )


def hosts(place: Place, tell: Tell) -> Iterator[Complaint]:
    """A server that others can reach knows by which names they call it, and asks who they are."""
    address = place.environment.get("PORTOLAN_ADDRESS") or "127.0.0.1"
    named = place.environment.get("PORTOLAN_HOSTS", "").strip() or place.environment.get("PORTOLAN_URL")
    if not loopback(address) and not named:
        yield fault(
            f"PORTOLAN_ADDRESS is {address}, and PORTOLAN_HOSTS is not set, so every request from another machine is refused.",
            "Set PORTOLAN_HOSTS to the names by which people reach the server.",
        )
    try:
        check_reach(address, place.environment)
    except PortolanError as error:
        yield told(error)


def certificates(place: Place, tell: Tell) -> Iterator[Complaint]:
    """Certificates are there, valid today and for the host, fit their keys, and only their owner reads a key."""
    cluster = [place.environment.get(name, "") for name in FILES]
    if any(cluster):
        yield from _pair(cluster[1], cluster[2], ())
        yield from _dates(cluster[0])
    config = place.root / ".streamlit" / "config.toml"
    server = tomllib.loads(config.read_text())["server"] if config.exists() else {}
    if server.get("sslCertFile"):
        names = [
            name.strip().lower() for name in place.environment.get("PORTOLAN_HOSTS", "").split(",") if name.strip()
        ]
        yield from _pair(server["sslCertFile"], server.get("sslKeyFile", ""), names)


def scheduler(place: Place, tell: Tell) -> Iterator[Complaint]:
    """The cluster answers, and is the one in the address."""
    address = place.environment.get("PORTOLAN_SCHEDULER")
    if not address:
        return
    at = checked(address)
    protection = security(at)
    share_of(at, place.environment.get("PORTOLAN_BLOBS"), "file:///")
    parts = urlsplit(at)
    try:
        with socket.create_connection((str(parts.hostname), int(parts.port or 0)), SECONDS) as plain:
            if protection is not None:
                context = protection.get_connection_args("client")["ssl_context"]
                context.wrap_socket(plain, server_hostname=parts.hostname).close()
    except ssl.SSLError as error:
        yield fault(
            f"The scheduler {at} is not who it should be: {error.reason or first_line(error)}.",
            "Give it a certificate for its host, of the authority in PORTOLAN_TLS_CA.",
        )
    except OSError as error:
        yield fault(
            f"The scheduler {at} does not answer: {error.strerror or first_line(error)}.",
            "Start it with `python -m core cluster scheduler`, or correct PORTOLAN_SCHEDULER.",
        )


def _pair(certificate: str, key: str, hosts: Any) -> Iterator[Complaint]:
    yield from _dates(certificate)
    missing = [file for file in (certificate, key) if file and not Path(file).is_file()]
    if not Path(certificate).is_file():
        return
    if missing:
        yield fault(f"There is no key file {missing[0]}.", "Correct the setting.")
        return
    if key and Path(key).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield fault(f"Other users of this machine may read the key {key}.", f"Run: chmod go= {key}")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key or None)
    except (ssl.SSLError, OSError) as error:
        yield fault(
            f"The certificate {certificate} does not fit its key: {first_line(error)}.",
            "Use the key that it was made with.",
        )
    known = _names(_read(certificate))
    for host in hosts:
        if not any(_covers(name, host) for name in known):
            yield fault(
                f"The certificate {certificate} is for {', '.join(known) or 'no name'}, not for {host}.",
                "Get one for every name in PORTOLAN_HOSTS.",
            )


def _dates(file: str) -> Iterator[Complaint]:
    if not Path(file).is_file():
        yield fault(f"There is no certificate file {file or '(not set)'}.", f"Set {', '.join(FILES)} to PEM files.")
        return
    try:
        read = _read(file)
    except (ssl.SSLError, OSError) as error:
        yield fault(f"{file} is no certificate in PEM: {first_line(error)}.", "Use a PEM file.")
        return
    begins, ends = (ssl.cert_time_to_seconds(read[key]) for key in ("notBefore", "notAfter"))
    days = (ends - time.time()) / 86400
    if days < 0:
        yield fault(f"The certificate {file} expired on {read['notAfter']}.", "Renew it.")
    elif begins > time.time():
        yield fault(
            f"The certificate {file} is valid only from {read['notBefore']}.", "Set the clock, or use another one."
        )
    elif days < SOON_DAYS:
        yield note(f"The certificate {file} expires in {days:.0f} days.", "Renew it.")


def _read(file: str) -> dict[str, Any]:
    """Return the fields of a certificate as ``ssl`` shows those of a peer; the module has no public way for a file."""
    found: dict[str, Any] = ssl._ssl._test_decode_cert(file)  # type: ignore[attr-defined]
    return found


def _names(read: dict[str, Any]) -> list[str]:
    return [str(value).lower() for kind, value in read.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]


def _covers(name: str, host: str) -> bool:
    """Say whether a name of a certificate, perhaps with one star, is the host's (RFC 6125, 6.4.3)."""
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def _port(place: Place) -> int:
    chosen = place.environment.get("PORTOLAN_PORT", "")
    return int(chosen) if chosen.isdigit() else 8501
