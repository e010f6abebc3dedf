"""One verb in the background: what was asked, how far it is, and how it ended."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from core.domain.errors import Trouble


class State(StrEnum):
    """Where a job stands; the last four are ends, and all of them but ``done`` can be run again."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def active(self) -> bool:
        """Say whether the job waits or runs."""
        return self in (State.QUEUED, State.RUNNING)

    @property
    def repeatable(self) -> bool:
        """Say whether the job ended without a result, so that it can be run again."""
        return self in (State.FAILED, State.CANCELLED, State.INTERRUPTED)


@dataclass(frozen=True)
class Spec:
    """What a machine needs to run a job: plain JSON in which files are named by their SHA-256."""

    job: str
    verb: str
    args: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the three fields as a plain dict."""
        return {"job": self.job, "verb": self.verb, "args": dict(self.args)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a spec; the verb is looked up in a table later, never imported."""
        return cls(str(value["job"]), str(value["verb"]), dict(value["args"]))


@dataclass(frozen=True)
class Job:
    """One verb with its arguments, its progress (fraction 0 to 1, or None when unknown) and its end; times are seconds since 1970."""

    id: str
    visitor: str
    verb: str
    title: str
    args: dict[str, Any]
    state: State
    fraction: float | None
    message: str
    result: dict[str, Any] | None
    trouble: Trouble | None
    attempt: int
    created: float
    started: float | None
    finished: float | None

    @property
    def spec(self) -> Spec:
        """What is sent to where the job runs."""
        return Spec(self.id, self.verb, self.args)


@dataclass(frozen=True)
class Event:
    """One line of a job's log: seconds since 1970, and the text."""

    at: float
    text: str
