"""Downloads: blobs by signed link, streamed from disk, whole or by Range."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from core.doors import workspace
from core.doors.routes import history, links

FROM_START = "bytes=0-"
SEALED = "sandbox; default-src 'none'"
"""Should a browser ever show a downloaded file as a page, that page can do nothing."""


def send_file(request: Request) -> Response:
    """Send a blob as a download under the name in its link."""
    sha256, name = links.signer().verify("files", request.path_params)
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    headers = {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": SEALED,
        "Cache-Control": "private, no-transform",
    }
    response = blob_response(request, sha256, headers)
    if response.status_code == 200 and request.headers.get("range", FROM_START).startswith(FROM_START):
        history.note(request, "downloaded", sha256)
    return response


def send_graph(request: Request) -> Response:
    """Send a graph without weights to the viewer, whose sandbox has no origin and so needs CORS for everyone."""
    sha256, _ = links.signer().verify("graph", request.path_params)
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Content-Security-Policy": SEALED,
        "Cache-Control": "private, max-age=3600, no-transform",
    }
    return blob_response(request, sha256, headers)


def blob_response(request: Request, sha256: str, headers: dict[str, str]) -> Response:
    """Stream a blob with its hash as ETag. Raises NotFound when it is gone."""
    path = workspace.current().store.blobs.path(sha256)
    headers["ETag"] = f'"{sha256}"'
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type="application/octet-stream", headers=headers)
