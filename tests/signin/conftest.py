"""A provider, a server that signs people in there, and people who walk the whole way with cookies and redirects."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from core.doors import signin
from core.doors.routes import links
from tests.serving import Server, free_port
from tests.signin.provider import ANN, BEN, VIC, Provider

WRITER = {"X-Requested-With": "tests"}


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    """The provider of all tests here."""
    with Provider(ANN, BEN, VIC).running() as provider:
        yield provider


@pytest.fixture(scope="session")
def team(serve: Callable[..., Server], provider: Provider) -> Server:
    """A server that lets in whom the provider knows; Ann administers it."""
    port = free_port()
    return serve(PORTOLAN_PORT=str(port), PORTOLAN_ADMINISTRATORS="ann@example.org", **provider.settings(port))


def secret(server: Server) -> str:
    """Return what a server signs its cookies with."""
    return signin.cookie_secret(links.key(server.home))


def home(server: Server) -> str:
    """Return the address under which people open the server."""
    return f"http://localhost:{server.port}"


@contextmanager
def at_the_door(server: Server, path: str = "") -> Iterator[httpx.Client]:
    """A client that has opened the page, below a path of the server."""
    with httpx.Client(base_url=home(server) + path, timeout=60, headers=WRITER) as client:
        client.get("/")
        yield client


def leave_for_provider(server: Server, client: httpx.Client) -> httpx.Response:
    """Press "Sign in", as the page does; the answer leads to the provider."""
    claims = {"provider": "default", "exp": int(time.time()) + 60}
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret(server)))
    return client.get("/auth/login", params={"provider": token})


def choose(client: httpx.Client, question: httpx.Response, person: dict[str, object]) -> httpx.Response:
    """Choose a person at the provider; the answer leads back to the server."""
    assert question.status_code == 302
    return client.post(question.headers["location"], data={"person": str(person["sub"])})


@contextmanager
def signed_in(server: Server, person: dict[str, object]) -> Iterator[httpx.Client]:
    """A client that has walked the whole way."""
    with at_the_door(server) as client:
        back = choose(client, leave_for_provider(server, client), person)
        landed = client.get(back.headers["location"])
        assert landed.status_code == 302
        assert urlsplit(landed.headers["location"]).query == ""
        yield client
