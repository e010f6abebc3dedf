"""What can go wrong, in words for the owner of the model.

PortolanError
├── Refused        the file or the request is not accepted, and why
├── Unavailable    a part that this needs is not installed, or not on this machine
├── OverLimit      the work needed more time, memory or room than it was given
├── TooMany        one visitor, or all of them, ask for more than may be had at once or in a day
├── Crashed        the child process died, or raised what nobody expected
├── Cancelled      somebody asked to stop
└── NotFound       no such thing for this visitor
"""

import re
import traceback
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
        if message and message[-1] not in ".?!":
            message += "."  # a library's words ended it, and the next step follows on the page
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


class TooMany(PortolanError):
    """One visitor, or all of them, ask for more than may be had at once or in a day; the same request is good later."""

    kind = "too many"


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
    error.kind: error for error in (Refused, Unavailable, OverLimit, TooMany, Crashed, Cancelled, NotFound)
}


TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
"""Codes for a terminal: control sequences and commands to the operating system (ECMA-48, 5.4 and 8.3.89)."""
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
FRAMES = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : |(?:\S{0,200}[\\/])?[\w.+-]{1,100}\.(?:cc|cpp|cxx|cu|hpp|h):\d+:?(?: [^\s(]{0,200}\([^()]{0,500}\)(?: const)?)?\s*"
    r"|(?<=\w) at 0x[0-9a-fA-F]+|<lambda\(\)>"
)
"""What libraries write around their words: codes of their own, places in their source, addresses."""
FOLDERS = re.compile(r"(?<![\w:/.])(?:[A-Za-z]:)?(?:[\\/][\w.+@~-]+){2,}")
"""A path from the root, of which only the last name is told."""
LONGEST, READ = 300, 20_000
"""Characters of a sentence, and of what a library says that are looked at: names in it come from strangers."""
FAULT = "This is a fault of Portolan, not of your file"


def plainly(text: str) -> str:
    """Return what a library says as people may read it: without codes for a terminal, places in its source and folders of this machine."""
    text = CONTROL.sub("", FRAMES.sub("", TERMINAL.sub("", text[:READ])))
    return FOLDERS.sub(lambda path: re.split(r"[\\/]", path[0])[-1], text)


def first_line(error: BaseException) -> str:
    """Return the first line that an error says, in the words of ``plainly``, at most 300 characters; its kind where it says nothing.

    This is the one way in which words of a library reach a person: as the cause, behind a sentence of ours on what could not be done.
    """
    lines = [" ".join(line.split()) for line in plainly(str(error)).splitlines() if line.strip()]
    told = next((line for line in lines if re.search(r"\w{2}", line)), type(error).__name__)
    return told[:LONGEST]


def our_fault(error: BaseException) -> Crashed:
    """Return an accident in our own code as what it is: the kind, the words and the place of the error, and what to report."""
    kind, words = type(error).__name__, first_line(error)
    said = kind if words == kind else f"{kind}: {words}"
    report = " ".join(part for part in (f"Please report it with these words ({said[:200]})", _place(error)) if part)
    return Crashed(
        f"{FAULT}: it did not expect this ({said[: LONGEST - 100]}).",
        f"{report}, and with the file if you may share it.",
    )


def _place(error: BaseException) -> str:
    """Return the last line of ours that an error came through, without the folder that we lie in."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if re.search(r"[\\/](core|pages)[\\/]", frame.filename)
    ]
    if not frames:
        return ""
    inside = re.split(r"[\\/](?=(?:core|pages)[\\/])", frames[-1].filename)[-1].replace("\\", "/")
    return f"at {inside}:{frames[-1].lineno}"


@contextmanager
def refusing(what: str, next_step: str, cause: Callable[[Exception], str] = first_line) -> Iterator[None]:
    """Turn whatever a library raises into Refused: what could not be done, the cause, and the next step; errors in words and want of memory pass."""
    try:
        yield
    except (PortolanError, MemoryError):
        raise
    except Exception as error:
        raise Refused(f"{what}: {cause(error)}", next_step) from None


def from_trouble(trouble: Trouble) -> PortolanError:
    """Rebuild an error from its value; a kind off the list becomes ``Crashed``."""
    return KINDS.get(trouble.kind, Crashed)(trouble.message, trouble.next_step)
