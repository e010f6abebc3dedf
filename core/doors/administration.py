"""What administrators of the server see and do: who has how much, what runs, what failed, and the end of what somebody has."""

import os
import time
from dataclasses import dataclass

from core.domain.allowance import Allowance
from core.domain.artifact import Artifact
from core.domain.belongings import Holding, Task
from core.domain.errors import Refused
from core.domain.hold import Hold
from core.domain.person import Person, Role
from core.doors import workspace
from core.jobs.budget import allowed
from core.memory import belongings

STOP_SECONDS = 20.0
"""A job that was stopped has ended by then; its child is killed."""


@dataclass(frozen=True)
class Desk:
    """One administrator at work. Raises Refused for anybody else."""

    who: Person

    def __post_init__(self) -> None:
        if self.who.role is not Role.ADMINISTRATOR:
            raise Refused("This is for administrators of the server.", "Ask one of them.")

    def holdings(self) -> list[Holding]:
        """Return what each visitor has and used today, the largest first."""
        store = workspace.current().store
        return belongings.holdings(store, lambda visitor: allowed(store, visitor))

    def allow(self, visitor: str, allowance: Allowance) -> None:
        """Allow a person or a project so much; None leaves it to the settings."""
        workspace.current().store.allowances.give(visitor, allowance, self.who.id)

    def own(self, visitor: str) -> Allowance:
        """Return what a person or a project was allowed by an administrator."""
        return workspace.current().store.allowances.of(visitor)

    def at_work(self) -> list[Task]:
        """Return the jobs that run or wait, newest first."""
        return belongings.tasks(workspace.current().store, "running", "queued")

    def failed(self) -> list[Task]:
        """Return the last jobs that did not work."""
        return belongings.tasks(workspace.current().store, "failed", "interrupted", limit=50)

    def stop(self, task: Task) -> None:
        """Ask somebody's job to stop."""
        workspace.current().queue.cancel(task.visitor, task.id)

    def forget(self, visitor: str) -> None:
        """Delete everything of a visitor."""
        forget(visitor)

    def holds(self) -> list[Hold]:
        """Return what is on hold, newest first."""
        return workspace.current().store.held.all()

    def models(self, visitor: str) -> list[Artifact]:
        """Return a visitor's models, newest first."""
        return workspace.current().store.artifacts(visitor)

    def hold(self, visitor: str, artifact: str | None, reason: str) -> None:
        """Keep all of a visitor's, or one model, whoever would delete it."""
        workspace.current().store.held.place(visitor, artifact, reason, self.who.id)

    def lift(self, hold: str) -> None:
        """End a hold."""
        workspace.current().store.held.lift(hold, self.who.id)


def forget(visitor: str) -> None:
    """Stop a visitor's jobs, and delete everything of theirs. Raises Refused where a job does not stop, or something is on hold."""
    queue, store = workspace.current().queue, workspace.current().store
    store.held.check([visitor])
    ends = time.monotonic() + STOP_SECONDS
    for job in queue.jobs(visitor, limit=10_000):
        if job.state.active:
            queue.cancel(visitor, job.id)
            queue.wait(visitor, job.id, max(0.0, ends - time.monotonic()))
    belongings.forget(store, visitor)
    silence()


def retention_days() -> float:
    """Return after how many days what nobody renewed is deleted: ``PORTOLAN_RETENTION_DAYS``, or 0 for never."""
    return float(os.environ.get("PORTOLAN_RETENTION_DAYS") or 0)


def expire() -> int:
    """Delete what is older than the retention; return how many models, data sets and jobs."""
    days, home = retention_days(), workspace.current()
    gone = belongings.expire(home.store, days * 24 * 3600) if days else 0
    silence()
    return gone


def silence() -> None:
    """Stop the servers of models that are gone."""
    home = workspace.current()
    home.sandbox.servers.sift(lambda owner, model: home.store.owner(model, "") == owner)
