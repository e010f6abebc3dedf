"""Install a group of optional libraries, on the owner's word."""

from core.domain.errors import Refused
from core.domain.groups import GROUPS, Private
from core.domain.installation import Installed, InstallRequest
from core.domain.reach import may_install
from core.jobs.verb import Verb
from core.memory.store import Store
from core.sandbox import environments
from core.sandbox.tools import Tools


def run(tools: Tools, request: InstallRequest) -> Installed:
    """Make the private environment of a group.

    Raises Refused for a group off the table, or one that lives beside Portolan's own libraries: a running server does
    not change the ground that it stands on.
    """
    group = environments.named(request.group, GROUPS)
    if not isinstance(group, Private):
        raise Refused(
            f"{group.title} is installed beside Portolan's own libraries.", f"Stop Portolan, and run: {group.command}"
        )
    environments.make(group, tools.progress, tools.cancel)
    return Installed(group.id, group.title)


def record(store: Store, visitor: str, request: InstallRequest, result: Installed, job: str) -> str | None:
    """Write nothing: an environment belongs to the machine and not to a visitor."""
    return None


def title(request: InstallRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Install {environments.named(request.group, GROUPS).title}"


def permit(visitor: str) -> None:
    """Raise Refused for a visitor who may not change what is on this machine."""
    if not may_install(visitor):
        raise Refused(
            "Only whoever runs this server installs optional groups.",
            "Ask them for `python -m core install`, or for PORTOLAN_INSTALLS=1, which lets every visitor do it.",
        )


VERB = Verb(
    "install", InstallRequest, Installed, run, record, title, page="convert.py", command="install", permit=permit
)
