"""Install a group of optional libraries, on the owner's word."""

from core.domain.errors import Refused
from core.domain.groups import GROUPS, Private
from core.domain.installation import Installed, InstallRequest
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


VERB = Verb("install", InstallRequest, Installed, run, record, title, page="convert.py", command="install")
