"""Uploads: a raw body streams into the store in constant memory; a stopped or refused one leaves nothing."""

import errno
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from core.domain.errors import OverLimit, Refused
from core.domain.limits import MB, limit_mb
from core.doors import workspace
from core.doors.routes import visitors
from core.doors.routes.answers import TooLarge
from core.doors.routes.links import safe_name
from core.memory.blobs import Blob

PIECE_BYTES = MB


async def take_model(request: Request) -> Response:
    """Store a model file and start its inspection: ``PUT /api/models?name=...`` answers ``{"job": id}``."""
    place, name = await run_in_threadpool(visitors.writer, request), safe_name(request.query_params.get("name", ""))
    blob = await take(request)
    if blob is None:
        return Response(status_code=400)
    args = {"sha256": blob.sha256, "name": name, "size": blob.size}
    job = await run_in_threadpool(place.submit, "ingest", args)
    return JSONResponse({"job": job.id}, 202)


async def take_dataset(request: Request) -> Response:
    """Store a data set: ``PUT /api/data?name=...`` answers ``{"sha256", "size", "name"}``."""
    place, name = await run_in_threadpool(visitors.writer, request), safe_name(request.query_params.get("name", ""))
    blob = await take(request)
    if blob is None:
        return Response(status_code=400)
    add = workspace.current().store.add_dataset
    await run_in_threadpool(add, place.owner, sha256=blob.sha256, size=blob.size, name=name)
    await run_in_threadpool(place.note, f"brought the data set {name}")
    return JSONResponse({"sha256": blob.sha256, "size": blob.size, "name": name}, 201)


async def take(request: Request) -> Blob | None:
    """Stream the body into a blob; None when the sender went away. Raises TooLarge, OverLimit or Refused."""
    try:
        return await stored(request)
    except ClientDisconnect:
        return None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OverLimit(
                "The server's disk is full; nothing was stored.", "Remove models that you no longer need."
            ) from error
        raise


async def stored(request: Request) -> Blob:
    """Write the body to a temporary file while it arrives, and make it a blob when it is whole."""
    limit = limit_mb() * MB
    check_size(int(request.headers.get("content-length", "0")), limit)
    with workspace.current().store.blobs.writer() as writer:
        size = 0
        async for piece in pieces(request):
            size += len(piece)
            check_size(size, limit)
            await run_in_threadpool(writer.write, piece)
        if size == 0:
            raise Refused(
                "The file is empty.", "Choose the model file itself; a link or a failed export may have 0 bytes."
            )
        return await run_in_threadpool(writer.commit)


def check_size(size: int, limit: int) -> None:
    """Raise TooLarge when a body is over the limit."""
    if size > limit:
        raise TooLarge(
            f"The file is larger than {limit // MB} MB, the limit of this server.",
            "Whoever runs the server can raise PORTOLAN_MAX_UPLOAD_MB.",
        )


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """Gather the network's small chunks into pieces of about a megabyte, so that few of them change threads."""
    piece = bytearray()
    async for chunk in request.stream():
        piece += chunk
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
