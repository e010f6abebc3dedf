"""Uploads: a raw body streams into the store in constant memory; a stopped or refused one leaves nothing."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from core.domain.errors import OverLimit, Refused
from core.domain.limits import MB, limit_mb
from core.doors import workspace
from core.doors.places import Place
from core.doors.routes import visitors
from core.doors.routes.answers import TooLarge, TooSlow
from core.doors.routes.links import safe_name
from core.jobs.budget import Budget, check_bytes
from core.memory.blobs import Blob

PIECE_BYTES = MB // 4
PACE_BYTES, PACE_SECONDS = 64 * 1024, 20.0
"""A sender is waited for so long in all until so much has come: slower lines are taken for somebody who only holds a place."""
THREADS = anyio.CapacityLimiter(8)
"""Disks are slow: uploads wait for theirs on threads of their own, so that nothing else does."""

T = TypeVar("T")
P = ParamSpec("P")


async def take_model(request: Request) -> Response:
    """Store a model file and start its inspection: ``PUT /api/models?name=...`` answers ``{"job": id}``."""
    place, name = await aside(visitors.writer, request), safe_name(request.query_params.get("name", ""))
    await aside(workspace.current().queue.admit, place.owner, place.starter)
    blob = await take(request, place)
    if blob is None:
        return Response(status_code=400)
    args = {"sha256": blob.sha256, "name": name, "size": blob.size}
    job = await aside(place.submit, "ingest", args)
    return JSONResponse({"job": job.id}, 202)


async def take_dataset(request: Request) -> Response:
    """Store a data set: ``PUT /api/data?name=...`` answers ``{"sha256", "size", "name"}``."""
    place, name = await aside(visitors.writer, request), safe_name(request.query_params.get("name", ""))
    blob = await take(request, place)
    if blob is None:
        return Response(status_code=400)
    add = workspace.current().store.add_dataset
    await aside(add, place.owner, sha256=blob.sha256, size=blob.size, name=name)
    await aside(place.note, f"brought the data set {name}")
    return JSONResponse({"sha256": blob.sha256, "size": blob.size, "name": name}, 201)


async def take(request: Request, place: Place) -> Blob | None:
    """Stream the body into a blob; None when the sender went away. Raises TooLarge, TooMany, OverLimit or Refused."""
    try:
        store = workspace.current().store
        return await stored(request, Budget(store, place.starter or place.owner, place.owner))
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
    limit, left = limit_mb() * MB, await aside(budget.left)
    declared, size = int(request.headers.get("content-length", "0")), 0
    check_size(declared, limit)
    check_bytes(declared, left)
    with workspace.current().store.blobs.writer() as writer:
        try:
            async for piece in pieces(request):
                size += len(piece)
                check_size(size, limit)
                check_bytes(size, left)
                await aside(writer.write, piece)
        finally:
            with anyio.CancelScope(shield=True):
                await aside(budget.receive, size)
        if size == 0:
            raise Refused(
                "The file is empty.", "Choose the model file itself; a link or a failed export may have 0 bytes."
            )
        return await aside(writer.commit)


def check_size(size: int, limit: int) -> None:
    """Raise TooLarge when a body is over the limit."""
    if size > limit:
        raise TooLarge(
            f"The file is larger than {limit // MB} MB, the limit of this server.",
            "Whoever runs the server can raise PORTOLAN_MAX_UPLOAD_MB.",
        )


async def aside(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call something that waits for a disk, on a thread for uploads."""
    return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=THREADS)


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """Gather the network's small chunks into pieces of a quarter of a megabyte, so that few of them change threads."""
    piece = bytearray()
    async for chunk in paced(request.stream()):
        piece += chunk
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


async def paced(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass a body on as it comes. Raises TooSlow where it hardly does; only the time that is spent waiting for it counts."""
    clock = asyncio.get_running_loop().time
    got, left = 0, PACE_SECONDS
    while True:
        began = clock()
        try:
            async with asyncio.timeout(left):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise TooSlow(
                f"The upload hardly moved for {PACE_SECONDS:.0f} s, and nothing was stored.",
                "Try again on a better line.",
            ) from None
        if chunk is None:
            return
        got, left = got + len(chunk), left - (clock() - began)
        if got >= PACE_BYTES:
            got, left = 0, PACE_SECONDS
        yield chunk
