"""Figures for Prometheus: requests as they are counted here, jobs as the audit log tells them, and how full the place is.

They say nothing of any visitor. Without a token they are for this machine alone, and only while nobody else is served:
behind a proxy every caller seems to be this machine.
"""

import functools
import hmac
import os
import threading
from ipaddress import ip_address

import anyio
import anyio.to_thread
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from core.doors import workspace
from core.doors.routes.answers import Forbidden
from core.memory import audit
from core.memory.standing import Moved, moved, standing
from core.memory.store import Store

TOKEN = "PORTOLAN_METRICS_TOKEN"  # noqa: S105 -- a variable's name
SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 5, 20, 60, 300, 1200)
REGISTRY = CollectorRegistry()
OPEN = Gauge("portolan_requests_open", "Requests at work, pages' connections among them.", ["route"], registry=REGISTRY)
REQUESTS = Counter("portolan_requests", "Requests by status.", ["route", "method", "status"], registry=REGISTRY)
REFUSALS = Counter(
    "portolan_refusals", "Requests answered with an error, by status.", ["route", "status"], registry=REGISTRY
)
UPLOADS = Counter("portolan_uploads", "Uploads by how they ended.", ["end"], registry=REGISTRY)
BYTES = Counter("portolan_bytes", "Bytes of bodies and messages.", ["direction"], registry=REGISTRY)
ANSWERS = Histogram("portolan_answer_seconds", "Seconds of a request.", ["route"], buckets=SECONDS, registry=REGISTRY)
JOBS = Counter("portolan_jobs", "Jobs by verb and end, since this server started.", ["verb", "end"], registry=REGISTRY)
FAILURES = Counter("portolan_job_failures", "Failed jobs by kind of trouble.", ["verb", "kind"], registry=REGISTRY)
WAITS = Histogram(
    "portolan_job_wait_seconds", "From submission to start.", ["verb"], buckets=SECONDS, registry=REGISTRY
)
WORK = Histogram("portolan_job_seconds", "From start to end.", ["verb"], buckets=SECONDS, registry=REGISTRY)
LINE = Gauge("portolan_jobs_now", "Jobs that wait or run.", ["state"], registry=REGISTRY)
CHILDREN = Gauge("portolan_children", "Sandboxed children at work.", registry=REGISTRY)
STORED = Gauge("portolan_stored_bytes", "Bytes of stored files.", registry=REGISTRY)
ROOM = Gauge("portolan_room_bytes", "Bytes that still fit, by disk, reserve and quota.", registry=REGISTRY)
HERE = ("localhost", "127.0.0.1", "::1")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "WEBSOCKET"))
UPLOAD = ("/api/models", "/api/data")


def request(route: str, method: str, status: int, arrived: int, sent: int, seconds: float) -> None:
    """Count one request that has ended; status 0 is a caller who went away."""
    method = method if method in METHODS else "other"  # a stranger's word would be a new series each time
    REQUESTS.labels(route, method, status).inc()
    if status >= 400:
        REFUSALS.labels(route, status).inc()
    if route in UPLOAD:
        UPLOADS.labels("taken" if 0 < status < 400 else "refused" if status else "gone").inc()
    BYTES.labels("in").inc(arrived)
    BYTES.labels("out").inc(sent)
    if method != "WEBSOCKET":
        ANSWERS.labels(route).observe(seconds)


class Reader:
    """Reads on in the audit log from where it was at the start, and counts what jobs did."""

    def __init__(self) -> None:
        self._lock, self._last = threading.Lock(), -1

    def begin(self, store: Store) -> None:
        """Count from here on."""
        with self._lock, store.database.reading() as db:
            if self._last < 0:
                self._last = audit.newest(db)

    def read(self, store: Store) -> None:
        """Count what was done since the last time, and see what waits and runs."""
        self.begin(store)
        with self._lock, store.database.reading() as db:
            newest = audit.newest(db)
            for one in moved(db, self._last, newest):
                self._count(one)
            self._last = newest
            now = standing(db)
        LINE.labels("queued").set(now.queued)
        LINE.labels("running").set(now.running)

    def _count(self, one: Moved) -> None:
        end = one.act.removeprefix("job ")
        if end == "running" and one.created is not None and one.started is not None:
            WAITS.labels(one.verb).observe(one.started - one.created)
        elif end not in ("queued", "running", "removed"):
            JOBS.labels(one.verb, end).inc()
            if one.started is not None and one.finished is not None:
                WORK.labels(one.verb).observe(one.finished - one.started)
            if end == "failed":
                FAILURES.labels(one.verb, one.trouble or "unknown").inc()


READER = Reader()


async def show(request: Request) -> Response:
    """Answer the figures as text. Raises Forbidden."""
    admit(request)
    text = await anyio.to_thread.run_sync(collected, limiter=own_thread())
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})


@functools.cache
def own_thread() -> anyio.CapacityLimiter:
    """Return a place that uploads and downloads cannot take."""
    return anyio.CapacityLimiter(1)


def collected() -> bytes:
    """Return the figures as they are now."""
    now = workspace.current()
    READER.read(now.store)
    CHILDREN.set(now.sandbox.at_work)
    STORED.set(now.store.blobs.used)
    ROOM.set(now.store.blobs.room())
    return generate_latest(REGISTRY)


def admit(request: Request) -> None:
    """Raise Forbidden for a caller who has no right to the figures."""
    token, given = os.environ.get(TOKEN, ""), request.headers.get("authorization", "")
    if token:
        if hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return
        raise Forbidden("The figures of this server need a token.", f"Send the value of {TOKEN} as a bearer token.")
    here = request.client is not None and ip_address(request.client.host).is_loopback and request.url.hostname in HERE
    if not here or os.environ.get("PORTOLAN_HOSTS") or "x-forwarded-for" in request.headers:
        raise Forbidden(
            "The figures of this server are not open to others.", f"Set {TOKEN}, and send it as a bearer token."
        )
