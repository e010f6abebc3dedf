"""Portolan over HTTP, on the port of the pages: upload, download, graph viewer, jobs and health.

Nothing here holds a file in memory, opens a model, or answers a stranger: `shield` wraps every response of the whole server,
Streamlit's included, `crowd` bounds what is open at once, `visitors` says who asks, and `links` lets a browser fetch one blob for an hour without saying who asks.
"""

from starlette.middleware import Middleware
from starlette.routing import Route

from core.domain.errors import PortolanError
from core.doors.routes import (
    answers,
    base,
    browser,
    closed,
    downloads,
    health,
    jobs,
    metrics,
    observing,
    shows,
    uploads,
    viewer,
)
from core.doors.routes.crowd import Crowd
from core.doors.routes.shield import Shield

ROUTES = [
    Route("/healthz", health.health),
    Route("/readyz", health.ready),
    Route("/metrics", metrics.show),
    Route("/api/models", uploads.take_model, methods=["PUT"]),
    Route("/api/data", uploads.take_dataset, methods=["PUT"]),
    Route("/api/jobs/{job}", jobs.show),
    Route("/api/jobs/{job}/cancel", jobs.cancel, methods=["POST"]),
    Route("/files/{sha256}/{expiry}/{signature}/{name}", downloads.send_file),
    Route("/graph/{sha256}/{expiry}/{signature}/{name}", downloads.send_graph),
    Route("/show/{share}", shows.show),
    Route("/netron/{name:path}", viewer.show),
    Route("/ort/{version}/{name}", browser.show),
    *(
        Route(f"/{prefix}/{{rest:path}}", answers.nothing_here, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        for prefix in ("api", "files", "graph", "netron", "ort", "show")
    ),
]
"""Streamlit answers every path that it does not know with its page; ours end in a 404 of their own."""

MIDDLEWARE = [
    Middleware(base.Based, names={route.path.split("/")[1] for route in ROUTES}),
    Middleware(observing.Observed),
    Middleware(Shield),
    Middleware(closed.Closed),
    Middleware(Crowd),
]
HANDLERS = {PortolanError: answers.refusal}
