"""What can go wrong, in words for the owner of the model.

PortolanError
├── Refused        the file or the request is not accepted, and why
├── Unavailable    a part that this needs is not installed, or not on this machine
├── OverLimit      the work needed more time, memory or room than it was given
├── Crashed        the child process died, or raised what nobody expected
├── Cancelled      somebody asked to stop
└── NotFound       no such thing for this visitor
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Trouble:
    """A kind, a sentence on the cause and a sentence on the next step: all that crosses a border."""

    kind: str
    message: str
    next_step: str


class PortolanError(Exception):
    """An error meant for people: ``message`` says the cause, ``next_step`` what to do."""

    kind = "error"

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    @property
    def trouble(self) -> Trouble:
        """The error as a value that survives JSON."""
        return Trouble(self.kind, self.message, self.next_step)


class Refused(PortolanError):
    """The file or the request is not accepted."""

    kind = "refused"


class Unavailable(PortolanError):
    """A part that this needs is not installed, or cannot run on this machine."""

    kind = "unavailable"


class OverLimit(PortolanError):
    """The work needed more time, memory or room than it was given."""

    kind = "over limit"


class Crashed(PortolanError):
    """The child process died, or raised what nobody expected."""

    kind = "crashed"


class Cancelled(PortolanError):
    """Somebody asked to stop."""

    kind = "cancelled"


class NotFound(PortolanError):
    """No such thing for this visitor."""

    kind = "not found"


KINDS: dict[str, type[PortolanError]] = {
    error.kind: error for error in (Refused, Unavailable, OverLimit, Crashed, Cancelled, NotFound)
}


TERMINAL = re.compile(r"\x1b\[[0-9;]*m")


def first_line(error: Exception) -> str:
    """Return the first line that an error says, without codes for a terminal (ECMA-48, SGR), at most 300 characters."""
    lines = [line for line in TERMINAL.sub("", str(error)).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


@contextmanager
def refusing(what: str, next_step: str, cause: Callable[[Exception], str] = first_line) -> Iterator[None]:
    """Turn whatever a library raises into Refused: what could not be done, the cause, and the next step."""
    try:
        yield
    except Exception as error:
        raise Refused(f"{what}: {cause(error)}", next_step) from None


def from_trouble(trouble: Trouble) -> PortolanError:
    """Rebuild an error from its value; a kind off the list becomes ``Crashed``."""
    return KINDS.get(trouble.kind, Crashed)(trouble.message, trouble.next_step)
