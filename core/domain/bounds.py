"""How much one visitor may have at once and in a day; the only user of a laptop meets none of it unless a setting says so."""

import os
import time
from dataclasses import dataclass
from typing import TypeVar

from core.domain.errors import Refused
from core.domain.limits import MB
from core.domain.reach import alone

DAY = 24 * 3600


@dataclass(frozen=True)
class Bounds:
    """What one visitor may have, and at the end all together; None is no bound."""

    waiting: int | None
    """Jobs that wait: ``PORTOLAN_MAX_WAITING``."""

    minutes: int | None
    """Processor minutes of a day: ``PORTOLAN_DAY_MINUTES``."""

    bytes: int | None
    """Bytes of a day that come in: ``PORTOLAN_DAY_GB``."""

    kept: int | None
    """Bytes that the files of one library take: ``PORTOLAN_VISITOR_GB``."""

    uploads_each: int
    """Uploads at once: ``PORTOLAN_VISITOR_UPLOADS``."""

    pages_each: int
    """Open pages: ``PORTOLAN_VISITOR_PAGES``."""

    uploads: int
    """Uploads at once of all visitors together: ``PORTOLAN_MAX_UPLOADS``."""

    pages: int
    """Open pages of all visitors together: ``PORTOLAN_MAX_PAGES``."""


@dataclass(frozen=True)
class Spent:
    """What a visitor used today: processor seconds, and bytes that came in."""

    seconds: float = 0.0
    bytes: int = 0


def today() -> int:
    """Return the day of UTC, counted from 1970."""
    return int(time.time() // DAY)


def renewal() -> str:
    """Say when the next day begins."""
    hours = (DAY - time.time() % DAY) / 3600
    return f"There is more at 00:00 UTC, in about {max(1, round(hours))} h."


def bounds() -> Bounds:
    """Return the bounds that the settings say, or the usual ones, which leave room on a server that its user has alone. Raises Refused."""
    shared = not alone()
    sent, kept = _whole("PORTOLAN_DAY_GB", 20 if shared else None), _whole("PORTOLAN_VISITOR_GB", None)
    return Bounds(
        waiting=_whole("PORTOLAN_MAX_WAITING", 50 if shared else None),
        minutes=_whole("PORTOLAN_DAY_MINUTES", 120 if shared else None),
        bytes=None if sent is None else sent * 1024 * MB,
        kept=None if kept is None else kept * 1024 * MB,
        uploads_each=_whole("PORTOLAN_VISITOR_UPLOADS", 4 if shared else 16),
        pages_each=_whole("PORTOLAN_VISITOR_PAGES", 20 if shared else 100),
        uploads=_whole("PORTOLAN_MAX_UPLOADS", 32),
        pages=_whole("PORTOLAN_MAX_PAGES", 200),
    )


def connections() -> int:
    """Return how many connections there may be: ``PORTOLAN_MAX_CONNECTIONS`` or 1000, and at most half of the files that may be open."""
    return min(_whole("PORTOLAN_MAX_CONNECTIONS", 1000), open_files() // 2)


def open_files() -> int:
    """Return how many files this process may have open."""
    try:
        import resource
    except ImportError:  # Windows
        return 2048
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 65536 if soft == resource.RLIM_INFINITY else soft


def open_more_files() -> None:
    """Let this process have as many files open as the system allows, up to 65,536: a wave of connections is taken before it can be thinned."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, open_files()), hard))


N = TypeVar("N", int, int | None)


def _whole(name: str, usual: N) -> int | N:
    """Return a setting as a whole number from 0. Raises Refused for any other text."""
    text = os.environ.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdigit()):
        raise Refused(f"The setting {name} is {text!r}, and not a whole number.", "Correct it, or leave it unset.")
    return int(text)
