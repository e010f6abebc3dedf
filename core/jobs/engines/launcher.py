"""Starts Dask's own commands so that no stranger reaches them: on loopback alone, or with certificates and nothing else.

A Dask worker runs whatever is sent to it, and by default listens on every address of its machine. Here it gets its
addresses, no dashboards and no other HTTP routes; then every port that its processes listen on is looked at, as long as
they live, and all of them are ended at the first one that others could reach without a certificate.
"""

import os
import signal
import ssl
import subprocess  # noqa: TID251
import sys
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from socket import create_connection
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

from core.domain.errors import Refused, Unavailable
from core.domain.groups import GROUPS
from core.jobs.engines.cluster import CERTIFICATES, checked, on_loopback, security

ROOT = Path(__file__).resolve().parents[3]
SCHEDULER, WORKER = "scheduler", "worker"
LOOK_SECONDS = 0.25
SPEAK_SECONDS = 3.0
END_SECONDS = 15.0
QUIET = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")
HTTP = {f"DASK_DISTRIBUTED__{role}__HTTP__ROUTES": "[]" for role in ("SCHEDULER", "WORKER")}
"""Dask starts an HTTP server all the same; it stays on loopback and has nothing to say."""

Tell = Callable[[str], None]


class Listener(NamedTuple):
    """An address that a process listens on."""

    host: str
    port: int

    @property
    def outer(self) -> bool:
        """Say whether other machines reach it."""
        return not ip_address(self.host).is_loopback


def launch(role: str, address: str, processes: int, tell: Tell) -> int:
    """Run a scheduler or workers at (or for) an address until they end, and return the exit code of Dask's command.

    Raises Refused for an address, certificates or a listener that is not safe, Unavailable without Dask.
    """
    if reason := GROUPS["dask"].unavailable():
        raise Unavailable(reason, "Install it, and start this again.")
    at = checked(address)
    protection = security(at)
    if role == WORKER and protection is not None:
        know(at, protection.get_connection_args("client")["ssl_context"], tell)
    with subprocess.Popen(command(role, at, processes), env=environment(at)) as process:  # noqa: S603
        try:
            watch(process, tell)
            return process.wait()
        finally:
            end(process)


def command(role: str, at: str, processes: int) -> list[str]:
    """Return Dask's own command: a scheduler that listens at an address, or workers for the one there, a job at a time each."""
    dask = [sys.executable, "-m", "dask", role, *QUIET, *certificates(at)]
    if role == SCHEDULER:
        return [*dask, "--host", at]
    inside = ["--host", "127.0.0.1"] if on_loopback(urlsplit(at)) else []
    return [*dask, at, *inside, "--nworkers", str(processes), "--nthreads", "1", "--memory-limit", "0"]


def certificates(at: str) -> list[str]:
    """Return the certificates as words of the command; none on plain loopback."""
    found = security(at)
    if found is None:
        return []
    pairs = (("ca-file", found.tls_ca_file), ("cert", found.tls_client_cert), ("key", found.tls_client_key))
    return ["--protocol", "tls", *(word for name, file in pairs if file for word in (f"--tls-{name}", file))]


def environment(at: str) -> dict[str, str]:
    """Return the environment: this Portolan can be imported, HTTP says nothing, and beyond loopback nothing is plain."""
    encrypted = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"} if at.startswith("tls://") else {}
    return {**os.environ, **HTTP, **encrypted, "PYTHONPATH": str(ROOT)}


def know(at: str, context: ssl.SSLContext, tell: Tell) -> None:
    """Wait for the scheduler, and see that its certificate is for the host in the address. Raises Refused where it is not."""
    parts, told = urlsplit(at), False
    while True:
        try:
            with create_connection((str(parts.hostname), int(parts.port or 0)), SPEAK_SECONDS) as plain:
                context.wrap_socket(plain, server_hostname=parts.hostname).close()
                return
        except ssl.SSLError as error:
            raise Refused(
                f"The scheduler at {at} is not who it should be: {error.reason or error}.", CERTIFICATES
            ) from error
        except OSError:
            if not told:
                tell(f"Waiting for the scheduler at {at}")
            told = True
            time.sleep(1)


def watch(process: "subprocess.Popen[bytes]", tell: Tell) -> None:
    """Look at every listener of a command and its processes until it ends. Raises Refused at one that is open to others."""
    known: set[Listener] = set()
    while process.poll() is None:
        for found in listeners(process.pid) - known:
            if found.outer and not speaks_tls(found):
                raise Refused(
                    f"Dask listened on {found.host}:{found.port} without certificates, so it was stopped.",
                    "Look in Dask's own settings (~/.config/dask) for what opens that port, and remove it.",
                )
            tell(f"Listening on {found.host}:{found.port}" + (", with certificates" if found.outer else ""))
            known.add(found)
        time.sleep(LOOK_SECONDS)


def listeners(pid: int) -> set[Listener]:
    """Return every TCP address that a process or one below it listens on."""
    found: set[Listener] = set()
    for process in family(pid):
        try:
            open = process.net_connections(kind="tcp")
        except psutil.Error:
            continue
        found |= {Listener(one.laddr.ip, one.laddr.port) for one in open if one.status == psutil.CONN_LISTEN}
    return found


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all below it; none when it is gone."""
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


def speaks_tls(listener: Listener) -> bool:
    """Say whether a listener answers a TLS greeting; whose certificate it shows is not asked here."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listener.host, listener.host)  # noqa: S104
    try:
        with create_connection((host, listener.port), SPEAK_SECONDS) as plain:
            context.wrap_socket(plain).close()
    except OSError:
        return False
    return True


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a command and its processes to end, and kill what does not."""
    left = family(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    _, stubborn = psutil.wait_procs(left, timeout=END_SECONDS)
    for one in stubborn:
        one.kill()
