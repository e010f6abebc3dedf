"""How much one visitor may have at once and in a day; the only user of a laptop has no bound unless a setting says so."""

import os
from dataclasses import dataclass

from core.domain.errors import Refused
from core.domain.reach import alone


@dataclass(frozen=True)
class Bounds:
    """What one visitor may have; None is no bound."""

    waiting: int | None
    """Jobs that wait: ``PORTOLAN_MAX_WAITING``."""


def bounds() -> Bounds:
    """Return the bounds that the settings say, or the usual ones: none on a server that its user has alone. Raises Refused."""
    shared = not alone()
    return Bounds(waiting=_whole("PORTOLAN_MAX_WAITING", 50 if shared else None))


def _whole(name: str, usual: int | None) -> int | None:
    """Return a setting as a whole number from 0. Raises Refused for any other text."""
    text = os.environ.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdigit()):
        raise Refused(f"The setting {name} is {text!r}, and not a whole number.", "Correct it, or leave it unset.")
    return int(text)
