"""One server for the routes' tests, and clients that are visitors of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from core.doors.routes import links
from tests.serving import Server

WRITER = {"X-Requested-With": "tests"}


@pytest.fixture(scope="session")
def server(serve: Callable[..., Server]) -> Server:
    """The server that most tests share; it takes uploads of up to 600 MB."""
    return serve(PORTOLAN_MAX_UPLOAD_MB="600")


@pytest.fixture
def stranger(server: Server) -> Iterator[httpx.Client]:
    """A client without a cookie."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture
def visitor(server: Server) -> Iterator[httpx.Client]:
    """A client that has opened the page, as a browser would."""
    with httpx.Client(base_url=server.url, timeout=60, headers=WRITER) as client:
        client.get("/")
        yield client


@pytest.fixture
def signer(server: Server) -> links.Signer:
    """The server's own signer."""
    return links.Signer(links.key(server.home))


def stray(home: Path) -> list[Path]:
    """Return files that are half written."""
    return [path for path in home.rglob("*.part") if path.is_file()]
