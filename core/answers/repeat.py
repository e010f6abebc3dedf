"""The words after which a measurement of a page is made again on the command line; files and data go by the names that their owner gave them."""

import shlex

from core.domain.factors import FactorsRequest
from core.domain.profile import Profile
from core.domain.side_by_side import SideBySideRequest
from core.domain.stored import write
from core.domain.versus import VersusRequest
from core.domain.work import Data


def profile(name: str, result: Profile) -> str:
    """Return what makes a report card again."""
    on = result.conditions
    curves = " --curves" if result.curves else ""
    return f"{_begun(name, on.batch)} --threads {on.threads}{curves}{given(result.data)} --json"


def versus(request: VersusRequest) -> str:
    """Return what sets two models beside each other again."""
    before, after = request.threads
    bounds = request.bounds
    held = {"slowdown": bounds.slowdown, "memory": bounds.memory} if bounds else {}
    limits = "".join(f" --max-{kind} {share:g}" for kind, share in held.items() if share is not None)
    against = f"--against {shlex.quote(request.against.name)} --threads {after} --against-threads {before}"
    return f"{_begun(request.subject.name, request.batch)} {against}{limits}{given(request.data)} --json"


def side_by_side(request: SideBySideRequest) -> str:
    """Return what runs a model in every runtime again."""
    ways = " ".join([*(shlex.quote(one.name) for one in request.others), *request.formats])
    return f"{_begun(request.subject.name, request.batch)}{given(request.data)} --json --runtimes {ways}"


def factors(request: FactorsRequest) -> str:
    """Return what measures the factors again."""
    variants = "".join(f" {shlex.quote(one.name)}" for one in request.variants)
    return f"python -m core profile {shlex.quote(request.subject.name)}{given(request.data)} --json --factors{variants}"


def given(data: Data | None) -> str:
    """Return the words that name the data set and say how it is read, the declared task among them; empty without one."""
    if data is None:
        return ""
    task = write(data.task) if data.task else ""
    words = {"data": data.name, "label": data.label, "classes": ",".join(data.classes), "task": task}
    return "".join(f" --{name} {shlex.quote(value)}" for name, value in words.items() if value)


def _begun(name: str, batch: int) -> str:
    return f"python -m core profile {shlex.quote(name)} --batch {batch}"
