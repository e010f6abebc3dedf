"""What requests read, for the audit log; what they change is written there by the database itself."""

import logging

from starlette.requests import Request

from core.domain.errors import PortolanError
from core.doors import workspace
from core.doors.routes import visitors
from core.memory import audit

HOLDER = "a link's holder"
log = logging.getLogger("portolan")


def note(request: Request, act: str, sha256: str, subject: str | None = None) -> None:
    """Write down that a stored file was read; where that cannot be written, the log says so and the file is sent all the same."""
    try:
        place = visitors.place(request)
        who = place.person.id if place.person else place.owner
    except PortolanError:
        who = HOLDER
    try:
        audit.note(workspace.current().store.database, who, act, subject=subject, sha256=sha256)
    except PortolanError as error:
        log.error("%s of %s by %s is not in the audit log: %s", act, sha256, who, error.message)
