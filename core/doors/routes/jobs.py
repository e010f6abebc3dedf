"""Jobs for scripts: state and progress of one job, and a way to stop it."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from core.domain.codec import encode
from core.domain.job import Job, Place
from core.doors import workspace
from core.doors.routes import visitors


def show(request: Request) -> JSONResponse:
    """Answer one of the visitor's jobs."""
    return answer(visitors.place(request).owner, str(request.path_params["job"]))


def cancel(request: Request) -> JSONResponse:
    """Ask one of the visitor's jobs to stop, and answer its state."""
    place, job = visitors.writer(request), str(request.path_params["job"])
    place.cancel(job)
    return answer(place.owner, job)


def answer(visitor: str, id: str) -> JSONResponse:
    """Return a job of this visitor as JSON. Raises NotFound for anybody else's."""
    queue = workspace.current().queue
    job = queue.job(visitor, id)
    return JSONResponse(shown(job, queue.place(job)), headers={"Cache-Control": "no-store"})


def shown(job: Job, place: Place | None) -> dict[str, Any]:
    """Return what a script may know of a job, and of where it stands in the line."""
    return {
        "id": job.id,
        "verb": job.verb,
        "title": job.title,
        "state": str(job.state),
        "fraction": job.fraction,
        "message": job.message,
        "place": encode(place) if place else None,
        "result": None if job.result is None else encode(job.result) | {"artifact_id": job.made},
        "error": encode(job.trouble) if job.trouble else None,
    }
