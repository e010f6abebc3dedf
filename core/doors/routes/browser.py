"""The runtime for models in the visitor's own browser: onnxruntime-web and the worker that replays recorded answers on it.

The version in the address changes with the files, so that browsers keep them for good. The worker may load what lies beside
it and fetch from this server, and nothing else; it runs on one thread, which needs no cross-origin isolation.
"""

from starlette.requests import Request
from starlette.responses import Response

from core import web
from core.domain.errors import NotFound
from core.domain.reach import base

POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; frame-ancestors 'self'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
}


def show(request: Request) -> Response:
    """Send one file, with gzip as it is stored where the browser takes that. Raises NotFound for a name or version of another day."""
    version, name = (str(request.path_params[key]) for key in ("version", "name"))
    if version != web.fingerprint() or name not in (*web.RUNTIME, *web.SCRIPTS):
        raise NotFound("This server has no such file for the browser.", "Reload the page.")
    kind = "application/wasm" if name.endswith(".wasm") else "text/javascript"
    if name in web.SCRIPTS:
        return Response(web.script(name), media_type=kind, headers=HEADERS)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(web.packed(name), media_type=kind, headers={**HEADERS, "Content-Encoding": "gzip"})
    return Response(web.unpacked(name), media_type=kind, headers=HEADERS)


def folder() -> str:
    """Return the path under which the runtime's files of today are served."""
    return f"{base()}/ort/{web.fingerprint()}/"
