"""What is wrong with this installation: every check looks at one thing, changes nothing, and says cause and next step."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.domain.errors import PortolanError, first_line
from core.domain.home import default_home
from core.memory.blobs import GB

FAULT, NOTE = "fault", "note"
ROOT = Path(__file__).resolve().parents[3]
Tell = Callable[[float | None, str], None]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (a fault), or that somebody may want to know (a note)."""

    check: str
    level: str
    message: str
    next_step: str


@dataclass(frozen=True)
class Place:
    """What is looked at: the home, the program's folder, the variables, the space to keep free, and the children's program."""

    home: Path = field(default_factory=default_home)
    root: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    reserve_bytes: int = GB
    worker: str = "core.doors.worker"


Complaint = tuple[str, str, str]
"""Level, cause and next step."""
Check = Callable[[Place, Tell], Iterator[Complaint]]


def fault(message: str, next_step: str) -> Complaint:
    """Say what is wrong."""
    return FAULT, message, next_step


def note(message: str, next_step: str) -> Complaint:
    """Say what may matter."""
    return NOTE, message, next_step


def told(error: PortolanError) -> Complaint:
    """Say a refusal as a fault."""
    return FAULT, error.message, error.next_step


def examine(place: Place, checks: Mapping[str, Check], tell: Tell) -> list[Finding]:
    """Make every check; one that breaks is a fault of its own, and the others go on."""
    found: list[Finding] = []
    for number, (name, check) in enumerate(checks.items()):
        tell(number / len(checks), f"Looking at: {name}")
        try:
            found += [Finding(name, *complaint) for complaint in check(place, tell)]
        except PortolanError as error:
            found.append(Finding(name, *told(error)))
        except Exception as error:
            cause = f"This could not be looked at ({type(error).__name__}: {first_line(error)})."
            found.append(Finding(name, FAULT, cause, "Mend the other findings, and run the doctor again."))
    return found
