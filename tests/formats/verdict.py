"""What the border says of a file: which format, and refused or not."""

from pathlib import Path

from core.domain.errors import Refused
from core.formats import recognise


def refused(path: Path) -> str:
    """Return the words of the refusal of a file, or nothing when it is taken."""
    try:
        format = recognise(path, path.name)
    except Refused as error:
        return f"{error.message} {error.next_step}"
    return " ".join(f"{risk.what} {risk.next_step}" for risk in format.audit(path) if risk.level == "refuse")
