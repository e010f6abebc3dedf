"""Which request and which job a line of the log belongs to: said once, and known to all that is called from there."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

REQUEST: ContextVar[str | None] = ContextVar("request", default=None)
JOB: ContextVar[str | None] = ContextVar("job", default=None)


@contextmanager
def during(what: ContextVar[str | None], id: str) -> Iterator[None]:
    """Say what is at work as long as the block lasts."""
    token = what.set(id)
    try:
        yield
    finally:
        what.reset(token)
