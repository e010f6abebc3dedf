"""The benchmarks of pages and load open pages over the websocket, as a browser does, and notice what is another's."""

import threading

import httpx

from benchmarks import load, pages
from tests.serving import Server


def test_every_page_is_opened_and_timed(server: Server, visitor: httpx.Client) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    with pages.visiting(server, cookie) as visit:
        taken = [visit.open(page) for page in pages.TITLES]
    assert all(wall > 0 and processor > 0 for wall, processor in taken)


def test_visitors_convert_over_the_websocket_and_read_nothing_of_each_other(server: Server) -> None:
    notes, end = load.Notes(), threading.Event()
    end.set()  # nobody stops to read
    first, second = (load.Client(server, notes, end, seed) for seed in (1, 2))
    with first.http, second.http:
        first.visit()
        second.visit()
        assert notes.counts["convert done"] == notes.counts["downloads"] == 2
        assert notes.counts["files and jobs of others asked for"] == 8
        assert notes.counts["pages with ids of others asked for"] == 1
        assert (notes.reads, notes.errors) == ([], {})
        owned = notes.owned[0]
        second.judge(second.http.get(owned.link), owned, "a link that was handed on")
        second.judge(first.http.get(f"/api/jobs/{owned.job}"), owned, "a job as its owner sees it")
    assert [first.mark in read and second.mark in read for read in notes.reads] == [True, True, True]
    assert load.summed_up(notes, [{"rss": 1.0}], 1)["cross_visitor_reads"] == 3
