"""The benchmark of the pages opens them over the websocket, as a browser does."""

import httpx

from benchmarks import pages
from tests.serving import Server


def test_every_page_is_opened_and_timed(server: Server, visitor: httpx.Client) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    with pages.visiting(server, cookie) as visit:
        taken = [visit.open(page) for page in pages.TITLES]
    assert all(wall > 0 and processor > 0 for wall, processor in taken)
