"""The graph viewer: Netron's own web files, in a sandbox without an origin, so that a hostile graph meets no cookie and no API.

Netron's page as it ships asks a server for the visitor's country, asks for consent, and stops working half a year after its build;
the page that we send declares itself an unpackaged build of today, which does none of that, and the policy allows no other host.
"""

import datetime
import functools
import importlib.util
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from core.domain.errors import NotFound, Unavailable
from core.domain.reach import base

SUFFIXES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
SHIM = Path(__file__).with_name("viewer_shim.js")
SHIM_NAME = "portolan-shim.js"
OPEN = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}


def show(request: Request) -> Response:
    """Send one file of the viewer: its page, our shim, or a file of the wheel on the list."""
    name = str(request.path_params["name"])
    if name in ("", "index.html"):
        headers = {
            **OPEN,
            "Content-Security-Policy": policy(request.headers["host"] + base()),
            "Cache-Control": "no-cache",
        }
        return Response(page(datetime.date.today()), media_type="text/html", headers=headers)
    path = files().get(name)
    if path is None:
        raise NotFound("The graph viewer has no such file.", "Reload the page.")
    return FileResponse(
        path, media_type=SUFFIXES[path.suffix], headers={**OPEN, "Cache-Control": "public, max-age=86400"}
    )


def policy(host: str) -> str:
    """Return the sandbox for the viewer's page; ``host`` has passed the shield, so it is a plain name and port, and perhaps our path.

    An opaque origin is never 'self' to itself in every browser, so the host stands beside it.
    """
    rules = (
        "sandbox allow-scripts allow-downloads",
        "default-src 'none'",
        f"script-src 'self' {host}/netron/",
        f"style-src 'self' 'unsafe-inline' {host}/netron/",
        f"img-src 'self' data: blob: {host}/netron/",
        f"connect-src 'self' {host}/netron/ {host}/graph/",
        "worker-src blob:",
        "frame-ancestors 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(rules)


@functools.cache
def files() -> dict[str, Path]:
    """Return the viewer's files by name; whatever is not in here is not served. Raises Unavailable without Netron."""
    spec = importlib.util.find_spec("netron")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("The graph viewer is not installed.", "Install the packages in requirements.txt.")
    folder = Path(spec.submodule_search_locations[0])
    return {path.name: path for path in folder.iterdir() if path.suffix in SUFFIXES} | {SHIM_NAME: SHIM}


@functools.lru_cache(maxsize=2)
def page(today: datetime.date) -> str:
    """Return Netron's page with today's date, no version, our policy instead of its own, and the shim before its script."""
    html = files()["index.js"].with_name("index.html").read_text("utf-8")
    changes = (
        (r'<meta http-equiv="Content-Security-Policy"[^>]*>', f'<script src="{SHIM_NAME}"></script>'),
        (r'<meta name="version" content="[^"]*">', '<meta name="version" content="0.0.0">'),
        (r'<meta name="date" content="[^"]*">', f'<meta name="date" content="{today:%Y-%m-%d} 00:00:00">'),
    )
    for pattern, replacement in changes:
        html, count = re.subn(pattern, replacement, html)
        if count != 1:
            raise Unavailable(
                "This version of the graph viewer is not supported.", "Install the version in requirements.txt."
            )
    return html
