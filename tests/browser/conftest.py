"""A running server, a running Chromium, and one new visitor for each test."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent.parent
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Server:
    """One server process on a free port with a home of its own."""

    home: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where the dashboard is."""
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Kill the server as a power cut would, without a chance to tidy up."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(home: Path, *command: str) -> Server:
    """Start a server and wait until it answers."""
    port = free_port()
    environment = {**os.environ, "PORTOLAN_HOME": str(home), "PORTOLAN_PORT": str(port)}
    log = (home.parent / f"server-{port}.log").open("wb")
    words = [sys.executable, *(command or ("app.py",))]
    process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    server = Server(home, port, process)
    for _ in range(600):
        try:
            if httpx.get(server.url + "/healthz").status_code == 200:
                return server
        except httpx.TransportError:
            time.sleep(0.1)
    server.kill()
    raise RuntimeError(f"the server did not start, see {log.name}")


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Start servers that end with the run."""
    started: list[Server] = []

    def begin(*command: str, home: Path | None = None) -> Server:
        started.append(start(home or tmp_path_factory.mktemp("home"), *command))
        return started[-1]

    yield begin
    for server in started:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture(scope="session")
def server(serve: Callable[..., Server]) -> Server:
    """The server that most journeys share."""
    return serve()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    names = (os.environ.get("PORTOLAN_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    path = next(found for name in names if name and (found := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[[str], Page]]:
    """Open pages, each as a new visitor; any error that the page's script throws fails the test."""
    contexts = []

    def begin(url: str) -> Page:
        context = chromium.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)
        contexts.append(context)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto(url)
        return page

    yield begin
    for context in contexts:
        context.close()
