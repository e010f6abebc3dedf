"""Uploads: a raw body streams into the store in constant memory; a stopped or refused one leaves nothing."""

import errno
from collections.abc import AsyncIterator

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from core.domain.errors import OverLimit, Refused
from core.domain.limits import MB, limit_mb
from core.doors import workspace
from core.doors.routes import visitors
from core.doors.routes.answers import TooLarge
from core.doors.routes.links import safe_name
from core.jobs.budget import Budget, check_bytes
from core.memory.blobs import Blob

PIECE_BYTES = MB


async def take_model(request: Request) -> Response:
    """Store a model file and start its inspection: ``PUT /api/models?name=...`` answers ``{"job": id}``."""
    visitor, name = visitors.of_writer(request), safe_name(request.query_params.get("name", ""))
    await run_in_threadpool(workspace.current().queue.admit, visitor)
    blob = await take(request, visitor)
    if blob is None:
        return Response(status_code=400)
    args = {"sha256": blob.sha256, "name": name, "size": blob.size}
    job = await run_in_threadpool(workspace.current().queue.submit, visitor, "ingest", args)
    return JSONResponse({"job": job.id}, 202)


async def take_dataset(request: Request) -> Response:
    """Store a data set: ``PUT /api/data?name=...`` answers ``{"sha256", "size", "name"}``."""
    visitor, name = visitors.of_writer(request), safe_name(request.query_params.get("name", ""))
    blob = await take(request, visitor)
    if blob is None:
        return Response(status_code=400)
    add = workspace.current().store.add_dataset
    await run_in_threadpool(add, visitor, sha256=blob.sha256, size=blob.size, name=name)
    return JSONResponse({"sha256": blob.sha256, "size": blob.size, "name": name}, 201)


async def take(request: Request, visitor: str) -> Blob | None:
    """Stream the body into a blob; None when the sender went away. Raises TooLarge, TooMany, OverLimit or Refused."""
    try:
        return await stored(request, Budget(workspace.current().store, visitor))
    except ClientDisconnect:
        return None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OverLimit(
                "The server's disk is full; nothing was stored.", "Remove models that you no longer need."
            ) from error
        raise


async def stored(request: Request, budget: Budget) -> Blob:
    """Write the body to a temporary file while it arrives, and make it a blob when it is whole; all that arrives is counted."""
    limit, left = limit_mb() * MB, await run_in_threadpool(budget.left_bytes)
    declared, size = int(request.headers.get("content-length", "0")), 0
    check_size(declared, limit)
    check_bytes(declared, left)
    with workspace.current().store.blobs.writer() as writer:
        try:
            async for piece in pieces(request):
                size += len(piece)
                check_size(size, limit)
                check_bytes(size, left)
                await run_in_threadpool(writer.write, piece)
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(budget.receive, size)
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
