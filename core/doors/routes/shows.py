"""Reports by link: whoever has it sees one finished page, and nothing else of the visitor who made it."""

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from core.domain.reach import base
from core.domain.share import Share
from core.doors import workspace
from core.doors.routes import history

POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'"


def show(request: Request) -> Response:
    """Send the page under an unguessable name, which no cookie goes with. Raises NotFound when it was taken back."""
    store = workspace.current().store
    share = store.share(str(request.path_params["share"]))
    headers = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
    }
    path = store.blobs.path(share.sha256)
    history.note(request, "page opened", share.sha256, share.artifact)
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=headers)


def link(share: Share) -> str:
    """Return the path of a share."""
    return f"{base()}/show/{share.id}"
