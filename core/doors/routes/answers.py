"""Errors as answers: a status, and the error's own words as JSON."""

from starlette.requests import Request
from starlette.responses import JSONResponse

from core.domain.codec import encode
from core.domain.errors import Cancelled, NotFound, OverLimit, PortolanError, Refused, TooMany, Trouble, Unavailable


class Forbidden(Refused):
    """The request does not say who asks, or comes from another site."""


class NotSignedIn(Forbidden):
    """This server wants to know who asks."""


class TooLarge(OverLimit):
    """The body is larger than one upload may be."""


class TooSlow(Refused):
    """The body stood still, or nearly so."""


class Expired(NotFound):
    """The link was good, and its hour is over."""


STATUS: tuple[tuple[type[PortolanError], int], ...] = (
    (NotSignedIn, 401),
    (Forbidden, 403),
    (TooLarge, 413),
    (TooSlow, 408),
    (Expired, 410),
    (Refused, 400),
    (NotFound, 404),
    (Cancelled, 409),
    (OverLimit, 507),
    (TooMany, 429),
    (Unavailable, 503),
)


AGAIN_SECONDS = 10
"""When a script that was told to wait may ask again."""


def status_of(error: PortolanError) -> int:
    """Return the HTTP status of an error; what is not in the table is our own fault: 500."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def sentence(trouble: Trouble, status: int) -> JSONResponse:
    """Return ``{"error": {kind, message, next_step}}``."""
    again = {"Retry-After": str(AGAIN_SECONDS)} if status == 429 else {}
    return JSONResponse({"error": encode(trouble)}, status, headers={"Cache-Control": "no-store", **again})


def refusal(request: Request, error: Exception) -> JSONResponse:
    """Answer a request whose handler raised a PortolanError."""
    assert isinstance(error, PortolanError)
    return sentence(error.trouble, status_of(error))


def nothing_here(request: Request) -> JSONResponse:
    """Answer a path below one of our prefixes that leads nowhere."""
    return sentence(NotFound("There is nothing at this address.", "Go back to the page and try again.").trouble, 404)
