"""The cluster as the README starts it: every port that Dask opens is of this machine alone, or asks for a certificate."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest

from core.doors import commands
from core.jobs.engines import launcher
from core.jobs.engines.cluster import FILES
from tests.engines.test_dask import certificates
from tests.serving import ROOT, free_port

README = ROOT / "README.md"
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


@contextmanager
def started(folder: Path, *words: str, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run ``python -m core cluster ...`` in a folder, and end it as an init system does."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{words[0]}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "core", "cluster", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=file,
            stderr=file,
        )
    try:
        yield process, log
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def until(log: Path, words: str, times: int = 1, seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while (text := log.read_text()).count(words) < times:
        assert time.monotonic() < deadline, text
        time.sleep(0.1)
    return text


def outer_address() -> str:
    """Return an address of this machine that is not loopback."""
    found = [a.address for all in psutil.net_if_addrs().values() for a in all if a.family == socket.AF_INET]
    return next((one for one in found if not ip_address(one).is_loopback), "")


def test_what_the_readme_shows_listens_on_loopback_alone(tmp_path: Path) -> None:
    at = f"tcp://127.0.0.1:{free_port()}"
    with (
        started(tmp_path, "scheduler", at) as (scheduler, told),
        started(tmp_path, "worker", at, "--processes", "2") as (workers, log),
    ):
        until(told, "Listening on")
        until(log, "Registered to", times=2)
        open = [*launcher.listeners(scheduler.pid), *launcher.listeners(workers.pid)]
        assert len(open) >= 6  # scheduler, two nannies and two workers, and their HTTP
        assert [one for one in open if one.outer] == []
        for one in open:
            if one.port != int(at.rpartition(":")[2]):
                answer = asked(one.port)
                assert b"200 OK" not in answer, (one, answer)
        below = psutil.Process(workers.pid).children(recursive=True)
    assert [one for one in below if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []


def asked(port: int) -> bytes:
    """Return what a port answers to a browser that asks for its health."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as browser:
            browser.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            return browser.recv(200)
    except OSError:
        return b""


def test_the_readme_shows_nothing_else() -> None:
    shown = README.read_text()
    assert "dask worker" not in shown
    assert "dask scheduler" not in shown
    assert "-m core cluster scheduler" in shown
    assert "-m core cluster worker" in shown


@pytest.mark.parametrize("role", ["scheduler", "worker"])
@pytest.mark.parametrize(
    "address", ["tcp://0.0.0.0:8786", "0.0.0.0:8786", "tcp://192.0.2.7:8786", "tls://0.0.0.0:8786"]
)
def test_an_outer_address_without_certificates_does_not_start(
    role: str, address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FILES:
        monkeypatch.delenv(name, raising=False)
    assert commands.main(["cluster", role, address]) == 1
    assert "refused" in capsys.readouterr().err


def test_a_port_that_others_reach_ends_all_of_it(tmp_path: Path) -> None:
    """Dask's own settings may open one behind our back, as a preload does here."""
    opener = "import socket; open_to_all = socket.create_server(('0.0.0.0', 0))"
    settings = {"DASK_DISTRIBUTED__SCHEDULER__PRELOAD": repr([opener])}
    with started(tmp_path, "scheduler", f"tcp://127.0.0.1:{free_port()}", **settings) as (process, log):
        assert process.wait(60) == 1
    assert "without certificates, so it was stopped" in log.read_text()


@needs_openssl
def test_outside_loopback_every_port_asks_for_a_certificate(tmp_path: Path) -> None:
    outer = outer_address()
    if not outer:
        pytest.skip("this machine has no address but loopback")
    files = certificates(tmp_path / "ours", names=f"IP:127.0.0.1,IP:{outer}")
    environment = dict(zip(FILES, files, strict=True))
    at = f"tls://{outer}:{free_port()}"
    with (
        started(tmp_path, "scheduler", at, **environment) as (scheduler, told),
        started(tmp_path, "worker", at, "--processes", "1", **environment) as (workers, log),
    ):
        until(told, "with certificates")
        until(log, "Registered to")
        open = {*launcher.listeners(scheduler.pid), *launcher.listeners(workers.pid)}
        assert any(one.outer for one in open)
        assert all(launcher.speaks_tls(one) for one in open if one.outer)


@needs_openssl
def test_a_scheduler_of_another_name_is_not_joined(tmp_path: Path) -> None:
    files = certificates(tmp_path / "ours", names="DNS:elsewhere.example")
    environment = dict(zip(FILES, files, strict=True))
    at = f"tls://127.0.0.1:{free_port()}"
    with (
        started(tmp_path, "scheduler", at, **environment) as (_, told),
        started(tmp_path, "worker", at, **environment) as (workers, log),
    ):
        until(told, "Listening on")
        assert workers.wait(60) == 1
    assert "is not who it should be" in log.read_text()
