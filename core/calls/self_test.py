"""Try each forbidden act in the jail, and say which walls hold; the sandbox itself asks."""

from dataclasses import dataclass
from pathlib import Path

from core.border import jail
from core.calls.call import Call, Here


@dataclass(frozen=True)
class Request:
    """A file that must not be readable, the home folder, and the bound on memory in MB."""

    canary: str
    home: str
    memory_mb: int


def work(request: Request, here: Here) -> dict[str, bool]:
    """Try them all."""
    return jail.self_test(Path(request.canary), Path(request.home), request.memory_mb)


CALL = Call("self_test", Request, dict[str, bool], work)
