"""Install a group of optional libraries, on the owner's word."""

from typing import TYPE_CHECKING, Any

from core.domain.errors import Refused
from core.domain.groups import GROUPS, Private
from core.sandbox import environments
from core.sandbox.tools import Tools

if TYPE_CHECKING:
    from core.memory.store import Store


def run(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Make the private environment of ``args["group"]``.

    Raises Refused for a group off the table, or one that lives beside Portolan's own libraries: a running server does
    not change the ground that it stands on.
    """
    group = environments.named(str(args["group"]), GROUPS)
    if not isinstance(group, Private):
        raise Refused(
            f"{group.title} is installed beside Portolan's own libraries.", f"Stop Portolan, and run: {group.command}"
        )
    environments.make(group, tools.progress, tools.cancel)
    return {"group": group.id, "title": group.title}


def record(store: "Store", visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> dict[str, Any]:
    """Write nothing: an environment belongs to the machine and not to a visitor."""
    return {}


def title(args: dict[str, Any]) -> str:
    """Name the job for the list of jobs."""
    return f"Install {environments.named(str(args['group']), GROUPS).title}"
