"""One verb in the background: what was asked, how far it is, and how it ended."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from core.domain.codec import Json, encode
from core.domain.errors import Trouble
from core.domain.stored import read


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
    """What a machine needs to run a job: plain JSON in which files are named by their SHA-256; the verb is looked up in a table."""

    job: str
    verb: str
    args: Json


@dataclass(frozen=True)
class Job:
    """One verb with its request, its progress (fraction 0 to 1, or None when unknown) and its end; times are seconds since 1970.

    ``made`` is the artifact to go on with, once there is one. ``starter`` is who began it in a library that is not their own.
    """

    id: str
    visitor: str
    starter: str | None
    verb: str
    title: str
    request: Any
    state: State
    fraction: float | None
    message: str
    written: "Written | None"
    made: str | None
    trouble: Trouble | None
    attempt: int
    created: float
    started: float | None
    finished: float | None

    @property
    def account(self) -> str:
        """For whom the job counts."""
        return self.starter or self.visitor

    @cached_property
    def result(self) -> Any:
        """The verb's result, or what a job that is not over has kept of it so far; None where there is nothing."""
        return self.written.value if self.written else None

    @property
    def spec(self) -> Spec:
        """What is sent to where the job runs."""
        return Spec(self.id, self.verb, encode(self.request))


@dataclass(frozen=True)
class Place:
    """Where a waiting job stands: 1 is the next to begin, and it begins in about so many seconds (None where nothing is known yet)."""

    position: int
    seconds: float | None


@dataclass(frozen=True)
class Written:
    """A result as it lies in the store, read only where somebody looks at it."""

    kind: type[Any]
    text: str

    @property
    def value(self) -> Any:
        """The result."""
        return read(self.kind, self.text)


@dataclass(frozen=True)
class Event:
    """One line of a job's log: seconds since 1970, and the text."""

    at: float
    text: str
