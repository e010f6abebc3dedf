"""What a job may name: a verb with its declared request and result, and how pages and scripts speak of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from core.domain.codec import Json, decode, encode
from core.domain.work import Subject
from core.memory.store import Store
from core.sandbox.tools import Tools

Q = TypeVar("Q")
R = TypeVar("R")


def as_asked(request: Q) -> Q:
    """Return a request that has no options to parse as it is."""
    return request


def anybody(visitor: str) -> None:
    """Let every visitor ask."""


def subject_of(request: Any) -> str | None:
    """Return the model on whose page the job was asked, or None for one that is about no model of the visitor's."""
    subject: Subject | None = getattr(request, "subject", None)
    return subject.artifact if subject else None


@dataclass(frozen=True)
class Verb(Generic[Q, R]):
    """The work, the recorder that writes its rows as the job ends, the title of a job, and where it is shown.

    ``record`` takes store, visitor, request, result and job id, and returns the id of the artifact to go on with.
    ``normal`` parses the options of a request, so that equal work is equal; it raises Refused in the user's words.
    ``permit`` takes a visitor, and raises Refused where the work is not for them.
    ``brief`` work ends within seconds whatever the file, so that a place can be kept for it.
    ``page`` is the file of the page that shows a job, ``place`` the id of the model on it, and ``command`` the words
    after ``python -m core`` that do the same.
    """

    name: str
    request: type[Q]
    result: type[R]
    run: Callable[[Tools, Q], R]
    record: Callable[[Store, str, Q, R, str], str | None]
    title: Callable[[Q], str]
    page: str
    place: Callable[[Q], str | None] = subject_of
    normal: Callable[[Q], Q] = as_asked
    command: str = ""
    brief: bool = False
    permit: Callable[[str], None] = anybody

    def work(self, tools: Tools, args: Json) -> Json:
        """Do the work from JSON to JSON, as an engine carries it. Raises Malformed for a request off the declaration."""
        written: Json = encode(self.run(tools, decode(self.request, args)))
        return written


Verbs = dict[str, Verb[Any, Any]]
