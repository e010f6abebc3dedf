"""Where somebody works, and what they may do there: their own library, or a project's.

Every change that a person makes goes through a place, on pages and routes alike, so that its rule is one line: who may
only look is refused here, and what is done in a project is written into its history.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.answers import report
from core.domain.artifact import Artifact
from core.domain.canary import Terms
from core.domain.drift import Reference
from core.domain.errors import NotFound, Refused
from core.domain.job import Job
from core.domain.person import Person, Role
from core.domain.project import PREFIX, Member
from core.domain.share import Share
from core.doors import administration, signin, workspace
from core.doors.samples import Sample
from core.memory import copies
from core.memory.projects import NO_PROJECT, WHOM
from core.sandbox.aliases import Alias
from core.sandbox.servers import Server, Servers
from core.verbs import load

GOVERNED = {
    "install": "Only an administrator of this server installs for everyone.",
    "load": "Only an administrator of this server serves packages on it.",
}
"""Verbs that change or occupy the machine for everybody, with what others are told where people sign in."""


@dataclass(frozen=True)
class Place:
    """A library: the visitor who owns its rows, its name, the role there of the one who asks, and who that is."""

    owner: str
    name: str
    role: Role = Role.MEMBER
    person: Person | None = None

    @property
    def shared(self) -> bool:
        """Whether the place is a project."""
        return self.owner.startswith(PREFIX)

    @property
    def starter(self) -> str | None:
        """Who begins what is begun here, where that is somebody else than the library's owner."""
        return self.person.id if self.person is not None and self.person.id != self.owner else None

    @property
    def governs(self) -> bool:
        """Whether the one who asks may change the machine for everybody; where nobody signs in, the verb itself says who may."""
        return signin.provider() is None or (self.person is not None and self.person.role is Role.ADMINISTRATOR)

    @property
    def steers(self) -> bool:
        """Whether the one who asks may start servers here, and change which of them answers."""
        return self.governs and self.role.allows(Role.MEMBER)

    def check(self, needed: Role = Role.MEMBER) -> None:
        """Raise Refused for somebody who may not do here what needs a role."""
        if not self.role.allows(needed):
            raise Refused(
                f"You are a {self.role} here, and this needs a {needed}.", "Ask an administrator for that role."
            )

    def note(self, text: str, whom: str | None = None) -> None:
        """Write into the history of a project what was done; other libraries have one person and no history."""
        if self.shared and self.person is not None:
            workspace.current().store.projects.note(self.owner, self.person.id, text, whom)

    def submit(self, verb: str, request: object) -> Job:
        """Begin a job, or return the one of equal work."""
        self.check()
        if verb in GOVERNED and not self.governs:
            raise Refused(GOVERNED[verb], "Ask one of them.")
        return self._begun(workspace.current().queue.submit(self.owner, verb, request, self.starter))

    def serve(self, package: str, title: str, model: str) -> Server:
        """Serve the package of a model of this library on loopback. Raises Refused for whoever may not, NotFound for a package of others'."""
        self.check()
        load.permit(self.owner)
        if not self.governs:
            raise Refused(GOVERNED["load"], "Ask one of them.")
        home = workspace.current()
        home.store.artifact(self.owner, model)
        if not home.store.holds(self.owner, package):
            raise NotFound("There is no such package in this library.", "Test the package again.")
        full = home.sandbox.isolation.full
        server = home.sandbox.servers.begin(self.owner, title, home.store.blobs.path(package), full, {})
        server.package, server.model = package, model
        self.note(f"began to serve {title}")
        return server

    def silence(self, server: str) -> None:
        """Stop a server of this library."""
        self.check()
        servers = workspace.current().sandbox.servers
        servers.stop(servers.named(self.owner, server))
        self.note("stopped a server")

    def try_beside(self, champion: str, challenger: str, terms: Terms) -> Alias:
        """Try a server beside another one of this library, behind one address. Raises Refused where they take or give other things."""
        servers = self._governing()
        old, new = (servers.named(self.owner, id) for id in (champion, challenger))
        if ends(old) != ends(new):
            raise Refused("These two take or give other things.", "Try a package with the same inputs and outputs.")
        alias = servers.alias(self.owner, old)
        alias.propose(new, terms)
        self.note(f"began to try {new.title} beside {old.title}")
        return alias

    def front(self, server: str) -> Alias:
        """Open an address that stays in front of a server."""
        servers = self._governing()
        alias = servers.alias(self.owner, servers.named(self.owner, server))
        self.note(f"opened an address in front of {alias.champion.title}")
        return alias

    def watch(self, alias: str, reference: Reference) -> None:
        """Compare the inputs of requests with test data."""
        found = self._governing().fronted(self.owner, alias)
        found.watch(reference)
        self.note(f"began to watch the inputs of {found.champion.title}")

    def promote(self, alias: str) -> None:
        """Have the challenger answer every request."""
        found = self._governing().fronted(self.owner, alias)
        found.promote()
        found.settled()
        self.note(found.outcome)

    def roll_back(self, alias: str) -> None:
        """Take the challenger out, or go back to the champion before."""
        found = self._governing().fronted(self.owner, alias)
        found.roll_back()
        found.settled()
        self.note(found.outcome)

    def give_up(self, alias: str) -> None:
        """Close an address; the servers behind it run on."""
        servers = self._governing()
        servers.end(servers.fronted(self.owner, alias))
        self.note("gave up an address")

    def _governing(self) -> Servers:
        self.check()
        if not self.governs:
            raise Refused(GOVERNED["load"], "Ask one of them.")
        return workspace.current().sandbox.servers

    def bring(self, sample: Sample) -> Job:
        """Bring a shipped sample."""
        self.check()
        return self._begun(workspace.open_sample(workspace.current(), self.owner, sample, self.starter))

    def retry(self, job: str) -> Job:
        """Put a job in the queue again."""
        self.check()
        return self._begun(workspace.current().queue.retry(self.owner, job, self.starter))

    def cancel(self, job: str) -> Job:
        """Ask a job to stop."""
        self.check()
        stopped = workspace.current().queue.cancel(self.owner, job)
        self.note(f"stopped: {stopped.title}")
        return stopped

    def remove(self, artifact: str) -> None:
        """Forget a model and its reports."""
        self.check()
        store = workspace.current().store
        gone = store.artifact(self.owner, artifact)
        store.remove_artifact(self.owner, artifact)
        administration.silence()
        self.note(f"removed {gone.name} ({gone.sha256[:12]})")

    def rename(self, artifact: str, name: str) -> None:
        """Give a model another name."""
        self.check()
        store = workspace.current().store
        before = store.artifact(self.owner, artifact)
        now = store.rename(self.owner, artifact, name)
        self.note(f"renamed {before.name} to {now.name} ({now.sha256[:12]})")

    def consent(self, artifact: str) -> None:
        """Agree that a file which can carry code is loaded."""
        self.check()
        agreed = workspace.current().store.consent(self.owner, artifact)
        self.note(f"agreed to load {agreed.name} ({agreed.sha256[:12]})")

    def report(self, artifact: str, kind: str, value: object) -> None:
        """Write down what was measured on a model."""
        self.check()
        workspace.current().store.add_report(self.owner, artifact, kind, value)

    def publish(self, artifact: Artifact, title: str, page: Callable[[], bytes]) -> Share:
        """Have a page about a model written, and show it to whoever has its link."""
        self.check()
        store = workspace.current().store
        share = report.show(store, self.owner, artifact, title, page(), signin.share_days())
        self.note(f"made a link to a report: {title}")
        return share

    def take_back(self, share: str) -> None:
        """Stop showing a page."""
        self.check()
        workspace.current().store.remove_share(self.owner, share)
        self.note("took a link to a report back")

    def copy(self, artifact: str, to: "Place") -> str:
        """Bring a model into another place, with what it was made from and what was measured; return its id there."""
        to.check()
        store = workspace.current().store
        name = store.artifact(self.owner, artifact).name
        made = copies.copy(store, self.owner, artifact, to.owner)
        to.note(f"brought {name} from another library")
        return made

    def let_in(self, email: str, role: Role) -> Member:
        """Add somebody to the project, or change their role."""
        self.check(Role.ADMINISTRATOR)
        member = workspace.current().store.projects.let_in(self.owner, email, role)
        self.note(f"made {WHOM} a {role}", member.person)
        return member

    def put_out(self, member: Member) -> None:
        """Take somebody out of the project; everybody may leave."""
        if self.person is None or member.person != self.person.id:
            self.check(Role.ADMINISTRATOR)
        workspace.current().store.projects.put_out(self.owner, member.person)
        self.note(f"took {WHOM} out of the project", member.person)

    def forget(self) -> None:
        """Delete everything in this library, and a person or a project with it; nothing of it is kept."""
        self.check(Role.ADMINISTRATOR if self.shared else Role.MEMBER)
        servers = workspace.current().sandbox.servers
        for server in servers.of(self.owner):
            servers.stop(server)
        administration.forget(self.owner)

    def _begun(self, job: Job) -> Job:
        if job.state.active:
            self.note(f"began: {job.title}")
        return job


def ends(server: Server) -> list[list[tuple[object, object]]]:
    """Return the inputs and outputs of a served package by name and element type."""
    sides = (server.signature.get(side) or () for side in ("inputs", "outputs"))
    return [sorted((str(one.get("name")), str(one.get("dtype"))) for one in specs) for specs in sides]


def begin_project(person: Person, name: str) -> Place:
    """Begin a project, whose administrator the person is. Raises Refused for a viewer, or without a name."""
    if not person.role.allows(Role.MEMBER):
        raise Refused("A viewer begins no project.", "Ask an administrator of this server.")
    if not name.strip():
        raise Refused("The project has no name.", "Give it one.")
    project = workspace.current().store.projects.add(person.id, name)
    place = Place(project.id, project.name, Role.ADMINISTRATOR, person)
    place.note("began the project")
    return place


def of_person(person: Person, browser: str | None) -> list[Place]:
    """Return where a person may work: their own library, their projects, and what their browser has from before they signed in."""
    store = workspace.current().store
    found = [Place(person.id, "Your library", min(person.role, Role.MEMBER, key=_rank), person)]
    for project in store.projects.of(person.id):
        role = project.role if person.role.allows(Role.MEMBER) else Role.VIEWER
        found.append(Place(project.id, project.name, role, person))
    if browser is not None and store.has_library(browser):
        found.append(Place(browser, "This browser, before you signed in", found[0].role, person))
    return found


def named(places: list[Place], owner: str | None) -> Place:
    """Return the place of an owner, the first where none is named. Raises NotFound."""
    if not owner:
        return places[0]
    for place in places:
        if place.owner == owner:
            return place
    raise NotFound(*NO_PROJECT)


def anonymous(browser: str) -> Place:
    """Return the library of a browser that nobody signed in with."""
    return Place(browser, "Your library")


def holding(places: list[Place], values: Mapping[str, str]) -> Place | None:
    """Return the place that has the model or the job of an address, or None."""
    owner = workspace.current().store.owner(values.get("model", ""), values.get("job", ""))
    return next((place for place in places if place.owner == owner), None)


def _rank(role: Role) -> int:
    return list(Role).index(role)
