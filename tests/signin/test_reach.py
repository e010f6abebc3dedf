"""Without sign-in a server answers its own machine, and says what to do when it is told otherwise."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable

import httpx
import pytest

from core.domain.errors import Refused
from core.doors import signin
from tests.serving import ROOT, Server, free_port

OIDC = {signin.ISSUER: "https://id.example", signin.CLIENT: "c", signin.SECRET: "s"}


def started(tmp_path_factory: pytest.TempPathFactory, **settings: str) -> subprocess.CompletedProcess[str]:
    """Start a server that should not start."""
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "PORTOLAN_HOME": str(home), "PORTOLAN_PORT": str(free_port()), **settings}
    words = [sys.executable, "app.py"]
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"PORTOLAN_ADDRESS": "0.0.0.0"}, "0.0.0.0"),
        ({"PORTOLAN_HOSTS": "models.example.org"}, "models.example.org"),
        ({signin.ISSUER: "https://id.example"}, signin.CLIENT),
        (OIDC | {signin.ISSUER: "http://id.example"}, "https"),
        (OIDC | {"PORTOLAN_ROLE": "boss"}, "boss"),
        (OIDC | {"PORTOLAN_URL": "http://models.example.org"}, "https"),
    ],
)
def test_a_server_that_should_not_start_says_why(
    tmp_path_factory: pytest.TempPathFactory, settings: dict[str, str], word: str
) -> None:
    run = started(tmp_path_factory, **settings)
    assert run.returncode == 1
    assert word in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stderr.strip().endswith(".")


def test_anonymous_visitors_from_outside_are_a_decision(
    monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Server]
) -> None:
    with pytest.raises(Refused, match="machine only"):
        signin.check_reach("192.0.2.7")
    with pytest.raises(Refused):
        signin.check_reach(None)
    for address in ("127.0.0.1", "::1", "localhost", "::ffff:127.0.0.1"):
        signin.check_reach(address)
    monkeypatch.setenv("PORTOLAN_ANONYMOUS", "1")
    signin.check_reach("0.0.0.0")
    server = serve(PORTOLAN_ADDRESS="0.0.0.0", PORTOLAN_ANONYMOUS="1")
    assert httpx.get(f"http://{outer()}:{server.port}/healthz", headers={"Host": "localhost"}).status_code == 200


def test_a_server_that_was_started_otherwise_answers_no_outer_address(serve: Callable[..., Server]) -> None:
    server = serve("-m", "uvicorn", "app:app", "--host", "0.0.0.0", "--port", "{port}")
    answer = httpx.get(f"http://{outer()}:{server.port}/", headers={"Host": "localhost"})
    assert answer.status_code == 400
    assert "its own machine only" in answer.json()["error"]["message"]


def outer() -> str:
    """Return an address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
